// The other sides of a session, for tests: an index of watches over a
// FakeStore, and a client that applies every message and checks what it may
// rely on.
#ifndef TIDEGATE_GATEWAY_CORE_SESSION_TESTING_H_
#define TIDEGATE_GATEWAY_CORE_SESSION_TESTING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "gateway/core/client_model.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/key_index.h"
#include "gateway/core/session.h"
#include "gateway/core/testing.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

// Tells of commits when the test says so.
class FakeRegistry : public WatchRegistry {
 public:
  explicit FakeRegistry(FakeStore* store) : store_(store) {
    told_ = store->head();
  }
  absl::Status Add(Watch* watch) override {
    if (watches.size() >= max_watches) {
      return absl::ResourceExhaustedError("too many watches");
    }
    watches.insert(watch);
    index.Add(watch, watch->subscription->filter());
    return absl::OkStatus();
  }
  void Remove(Watch* watch) override {
    watches.erase(watch);
    index.Remove(watch, watch->subscription->filter());
  }
  void AddKey(Watch* watch, absl::string_view key) override {
    index.AddKey(watch, kTestView, key);
  }
  void RemoveKey(Watch* watch, absl::string_view key) override {
    index.RemoveKey(watch, kTestView, key);
  }
  void SkipIdle(Watch* watch) override {
    if (watch->waiting) watch->subscription->SkipTo(told_, watermark_);
  }
  RangeCache* ranges(const ServedPipeline* /*pipeline*/) override {
    return &ranges_;
  }
  SnapshotFeeds* feeds(const ServedPipeline* /*pipeline*/) override {
    return nullptr;  // each reads by itself
  }
  void Tell() {
    absl::flat_hash_set<Watch*> concerned;
    const auto commits = store_->ReadLog(told_, size_t{64} << 20);
    if (commits.ok()) {
      for (const auto& commit : *commits) index.Collect(*commit, &concerned);
    } else {
      concerned = watches;  // trimmed: nobody knows
    }
    // Always in the same order, so that a seed replays.
    std::vector<Watch*> in_order(concerned.begin(), concerned.end());
    std::sort(in_order.begin(), in_order.end(),
              [](const Watch* a, const Watch* b) { return a->id < b->id; });
    for (Watch* const watch : in_order) {
      SkipIdle(watch);
      watch->waiting = false;
      watch->stream->Woken(watch);
    }
    told_ = store_->head();
    watermark_ = store_->positions().watermark;
  }

  KeyIndex<Watch*> index;
  absl::flat_hash_set<Watch*> watches;
  size_t max_watches = 100'000;

 private:
  FakeStore* const store_;
  RangeCache ranges_;
  Seq told_;
  EventTime watermark_ = kNoEventTime;
};

// What a client makes of SessionResponses.
struct SessionModel {
  struct KeyRequest {
    uint64_t number = 0;
    std::vector<std::string> add, remove;
  };
  struct WatchModel {
    ClientModel model;
    std::vector<uint64_t> applied;  // requests, since the session began
    int failure = 0;                // its code
    std::string failure_message;
    // Followed if set: those applied, and the requests without an answer. The
    // rows of a key go when a request that removes it is applied.
    std::optional<std::set<std::string>> keys;
    std::deque<KeyRequest> asked;

    // Of the response and the requests applied with it: keys told of that it
    // did not have before, and keys that came.
    std::vector<std::string> strangers, came;
  };
  std::map<uint32_t, WatchModel> watches;
  int messages = 0;
  int updates = 0;
  int drains = 0;
  std::string violation;  // of the session itself
  // Called when a watch has applied a response and all requests told with it.
  std::function<void(uint32_t)> on_applied;

  // Of the session or of a watch, the first.
  std::string FirstViolation() const {
    if (!violation.empty()) return violation;
    for (const auto& [id, watch] : watches) {
      if (!watch.model.violation.empty()) {
        return absl::StrCat("watch ", id, ": ", watch.model.violation);
      }
    }
    return "";
  }
  WatchModel& Expect(uint32_t id) {
    watches[id].model.schema = &TestSchema();
    return watches[id];
  }

  void Apply(absl::string_view message) {
    ++messages;
    if (drains > 0) violation = "a message after the farewell";
    if (message.empty()) violation = "an empty message";
    WireField field;
    std::vector<Update> all;
    while (!message.empty()) {
      if (!GetWireField(&message, &field)) {
        violation = "malformed message";
        return;
      }
      if (field.number == 1) all.push_back(Parse(field.bytes));
      if (field.number == 2) ++drains;
    }
    for (size_t i = 0; i < all.size(); ++i) {
      if (!ApplyUpdate(all[i])) return;
      const bool goes_on = i + 1 < all.size() && all[i + 1].id == all[i].id &&
                           all[i + 1].response.empty() &&
                           all[i + 1].applied != 0;
      if (!goes_on) Applied(all[i].id);
    }
  }

 private:
  struct Update {
    uint32_t id = 0;
    uint64_t applied = 0;
    absl::string_view response;
    absl::string_view failure;
  };

  static Update Parse(absl::string_view bytes) {
    WireField field;
    Update update;
    while (!bytes.empty() && GetWireField(&bytes, &field)) {
      if (field.number == 1) update.id = static_cast<uint32_t>(field.varint);
      if (field.number == 2) update.response = field.bytes;
      if (field.number == 3) update.applied = field.varint;
      if (field.number == 4) update.failure = field.bytes;
    }
    return update;
  }

  bool ApplyUpdate(const Update& update) {
    ++updates;
    const auto at = watches.find(update.id);
    if (at == watches.end()) {
      violation = absl::StrCat("an update of watch ", update.id);
      return false;
    }
    WatchModel& watch = at->second;
    if (watch.failure != 0) violation = "an update after a failure";
    if (!update.response.empty()) {
      watch.model.Apply(update.response);
      if (watch.keys) {
        for (const std::string& key : watch.model.changed) {
          if (watch.keys->count(key) == 0) watch.strangers.push_back(key);
        }
      }
    }
    if (update.applied != 0) {
      if (watch.model.in_fragments) violation = "applied within fragments";
      watch.applied.push_back(update.applied);
      if (watch.keys) ApplyRequest(&watch, update.applied);
    }
    WireField field;
    absl::string_view failure = update.failure;
    while (!failure.empty() && GetWireField(&failure, &field)) {
      if (field.number == 1) watch.failure = static_cast<int>(field.varint);
      if (field.number == 2) watch.failure_message = std::string(field.bytes);
    }
    return true;
  }

  static void ApplyRequest(WatchModel* watch, uint64_t number) {
    if (watch->asked.empty() || watch->asked.front().number != number) {
      return watch->model.Fail(
          absl::StrCat("applied ", number, " out of turn"));
    }
    const KeyRequest request = std::move(watch->asked.front());
    watch->asked.pop_front();
    const std::set<std::string> add(request.add.begin(), request.add.end());
    for (const std::string& key : request.remove) {
      if (add.count(key) > 0) continue;
      watch->keys->erase(key);
      watch->model.rows.erase(key);
      watch->model.finality.erase(key);
    }
    watch->keys->insert(add.begin(), add.end());
    watch->came.insert(watch->came.end(), add.begin(), add.end());
  }

  void Applied(uint32_t id) {
    WatchModel& watch = watches.at(id);
    for (const std::string& key : watch.strangers) {
      if (watch.keys->count(key) == 0) {
        watch.model.Fail("told of a key that it does not have");
      }
    }
    const std::vector<std::string>& changed = watch.model.changed;
    const std::set<std::string> told(changed.begin(), changed.end());
    for (const std::string& key : watch.came) {
      if (watch.keys->count(key) > 0 && told.count(key) == 0) {
        watch.model.Fail("a key has come without an answer");
      }
    }
    watch.strangers.clear();
    watch.came.clear();
    if (on_applied) on_applied(id);
  }
};

// A session over a store, its registry and its client. Time goes by hand.
struct SessionWorld {
  SessionWorld() {
    catalog.pipeline = "default";
    catalog.views.resize(1);
    catalog.views[0].id = kTestView;
    catalog.views[0].name = "things";
    catalog.views[0].schema = TestSchema();
    pipeline = std::make_unique<ServedPipeline>("default", &catalog, &store);
    pipeline->SetStatus(absl::OkStatus());
    hub.Add(pipeline.get());
    session = Session::Create(&registry);
  }
  std::unique_ptr<Watch> MakeWatch(SubscriptionSpec spec,
                                   absl::string_view token = "") {
    auto made = Subscription::Create(std::move(spec), &store, token);
    if (!made.ok()) {
      client.violation = made.status().ToString();
      return nullptr;
    }
    auto watch = std::make_unique<Watch>();
    watch->pipeline = pipeline.get();
    watch->stats = &stats.view("things");
    watch->subscription = *std::move(made);
    return watch;
  }
  void Add(uint32_t id, SubscriptionSpec spec, absl::string_view token = "") {
    client.Expect(id);
    session->AddWatch(id, MakeWatch(std::move(spec), token));
  }
  void Put(absl::string_view key, absl::string_view value) {
    store.Commit({{{kTestView, TestKey(key)}, TestRow(key, value)}}, now);
  }
  // One message to the client, if there is one.
  bool Step() {
    Message message;
    const auto sent = session->Next(now, &message);
    if (!sent.ok()) client.violation = sent.status().ToString();
    if (!sent.ok() || !*sent) return false;
    client.Apply(message.Flat());
    return true;
  }
  int Run() {
    int messages = 0;
    registry.Tell();
    for (int i = 0; i < 100'000; ++i) {
      if (Step()) {
        ++messages;
      } else if (!session->behind()) {
        return messages;
      }
    }
    client.violation = "it never comes to rest";
    return messages;
  }
  void Pass(int64_t ms) { now = ProcessingTime(now.value() + ms * 1000); }
  ClientModel& model(uint32_t id) { return client.watches.at(id).model; }

  Catalog catalog;
  FakeStore store;
  std::unique_ptr<ServedPipeline> pipeline;
  ViewHub hub;
  GatewayStats stats{std::vector<std::string>{"things"},
                     std::vector<std::string>{"default"}};
  ProcessingTime now{1'000'000'000};
  FakeRegistry registry{&store};
  std::unique_ptr<Session> session;
  SessionModel client;
};

inline SubscriptionSpec GrowingSpec(std::initializer_list<const char*> keys) {
  SubscriptionSpec spec = KeyedSpec(keys);
  spec.filter.growing = true;
  return spec;
}

inline std::vector<std::string> TestKeys(
    std::initializer_list<const char*> keys) {
  std::vector<std::string> out;
  for (const char* key : keys) out.push_back(TestKey(key));
  return out;
}

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SESSION_TESTING_H_
