// Random commits, watches, keys that come and go, blocked writes, cuts and
// resumes: after every response each watch's client holds what was true of its
// keys at its position. TIDEGATE_SEED=N runs one seed.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/core/session_testing.h"
#include "gtest/gtest.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

// A seed takes a quarter of a second under a sanitizer.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSeeds = 60;
#else
constexpr uint64_t kSeeds = 300;
#endif
constexpr int kSteps = 400;
constexpr size_t kWatches = 4;
constexpr int kKeys = 30;
constexpr size_t kLargeBytes = 8'000;  // of a row: a few make several messages
constexpr int kBurst = 300;            // commits: enough to catch up by state
constexpr int64_t kMinIntervalMs = 400;
constexpr char kWhere[] = "v LIKE 'y%'";

struct Totals {
  int64_t messages = 0, updates = 0, checks = 0, resumes = 0, applied = 0;
  int64_t fragments = 0, resets = 0, blocked = 0, cuts = 0, lefts = 0;
  int64_t added = 0, removed = 0, drains = 0, lost_requests = 0;
  // Keys that one request removes and adds; that it adds and the one before it
  // removes; watches that went and came back while the session went on; answers
  // to several requests; requests undone by a cut in the middle of an answer.
  int64_t replaced = 0, again = 0, reopened = 0, shared = 0, cut_answers = 0;
  int64_t outrun = 0, bursts = 0;
};

// One watch as the client's owner sees it.
struct Tracked {
  uint32_t id = 0;  // not used twice
  bool whole = false;
  bool where = false;
  bool patient = false;
  size_t applied_seen = 0;
};

class World {
 public:
  World(uint64_t seed, Totals* totals)
      : random_(seed), totals_(*totals), large_(Chance(30)) {
    world_.client.on_applied = [this](uint32_t id) { Check(id); };
    for (size_t i = 0; i < kWatches; ++i) {
      Tracked& watch = tracked_[i];
      watch.id = ++last_id_;
      watch.whole = i + 1 == kWatches && Chance(50);
      watch.where = Chance(40);
      watch.patient = Chance(25);
      SessionModel::WatchModel& client = world_.client.Expect(watch.id);
      if (!watch.whole) client.keys.emplace({AnyKey(5)});
      Open(watch, "");
    }
  }

  // The first thing that went wrong.
  std::string Run() {
    for (int step = 0; step < kSteps && violation().empty(); ++step) {
      Act();
      if (Chance(60)) world_.registry.Tell();
      if (Chance(70)) Serve();
    }
    Take();
    if (violation().empty()) Settle();
    for (const auto& [id, watch] : world_.client.watches) {
      totals_.fragments += watch.model.fragments;
      totals_.resets += watch.model.resets;
      totals_.lefts += watch.model.lefts;
    }
    totals_.messages += world_.client.messages;
    totals_.updates += world_.client.updates;
    return violation();
  }

 private:
  int Below(int n) {
    return static_cast<int>(random_() % static_cast<uint64_t>(n));
  }
  bool Chance(int percent) { return Below(100) < percent; }
  static std::string Name(int i) { return absl::StrCat("k", 100 + i); }
  std::string AnyKey(int of = kKeys) { return TestKey(Name(Below(of))); }

  std::string violation() const {
    return violation_.empty() ? world_.client.FirstViolation() : violation_;
  }
  void Fail(const std::string& what) {
    if (violation_.empty()) violation_ = what;
  }
  SessionModel::WatchModel& ClientOf(const Tracked& watch) {
    return world_.client.watches.at(watch.id);
  }

  void Open(const Tracked& watch, const std::string& token) {
    SubscriptionSpec spec = TestSpec();
    if (!watch.whole) {
      const std::set<std::string>& keys = *ClientOf(watch).keys;
      spec.filter.all_rows = false;
      spec.filter.growing = true;
      spec.filter.keys.assign(keys.begin(), keys.end());
    }
    if (watch.where) {
      spec.filter.where = RowFilter::Compile(kWhere, TestSchema()).value();
    }
    if (watch.patient) spec.min_interval_ms = kMinIntervalMs;
    world_.Add(watch.id, std::move(spec), token);
  }

  void Act() {
    if (world_.session->mid_range() && Chance(10)) return OutrunAnswer();
    const int what = Below(100);
    if (what < 45) {
      Commit();
    } else if (what < 70) {
      AskForKeys();
    } else if (what < 73) {
      Cut();
    } else if (what < 76) {
      Reopen();
    } else if (what < 80) {
      world_.Pass(Below(1500));
    } else if (what < 82) {
      world_.store.MoveBase();
      if (Chance(50)) {
        const uint64_t head = world_.store.head().value();
        world_.store.Trim(Seq(head - std::min<uint64_t>(head, Below(3))));
      }
    } else if (!large_ && Below(500) == 0) {
      ++totals_.bursts;
      for (int i = 0; i < kBurst; ++i) Commit();
    }
  }

  // What an answer under way has to go on with is gone from the log.
  void OutrunAnswer() {
    ++totals_.outrun;
    Commit();
    Commit();
    world_.store.MoveBase();
    world_.store.Trim(world_.store.head());
    world_.Pass(kMaxHeadViewMs + 1);
  }

  void Commit() {
    FakeStore::Batch batch;
    for (int i = 1 + Below(4); i > 0; --i) {
      const std::string name = Name(Below(kKeys));
      std::optional<std::string>& row = batch[{kTestView, TestKey(name)}];
      row.reset();
      if (Chance(25)) continue;
      row = TestRow(name,
                    absl::StrCat(Chance(60) ? "y" : "n", ++values_,
                                 std::string(large_ ? kLargeBytes : 0, '.')));
    }
    world_.store.Commit(batch, world_.now);
  }

  void AskForKeys() {
    const Tracked& watch = tracked_[static_cast<size_t>(Below(kWatches))];
    if (watch.whole) return;
    SessionModel::WatchModel& client = ClientOf(watch);
    for (int i = 1 + Below(Chance(20) ? 4 : 1); i > 0; --i) {
      if (!world_.session->accepts_requests()) return;
      SessionModel::KeyRequest request;
      request.number = ++requests_;
      for (int k = Below(large_ ? 12 : 4); k > 0; --k) {
        request.add.push_back(AnyKey());
      }
      for (int k = Below(4); k > 0; --k) request.remove.push_back(AnyKey());
      if (!request.remove.empty() && Chance(20)) {
        ++totals_.replaced;
        request.add.push_back(request.remove.front());
      }
      if (!client.asked.empty() && !client.asked.back().remove.empty() &&
          Chance(30)) {
        ++totals_.again;
        request.add.push_back(client.asked.back().remove.back());
      }
      totals_.added += static_cast<int64_t>(request.add.size());
      totals_.removed += static_cast<int64_t>(request.remove.size());
      world_.session->ChangeKeys(watch.id, request.number, request.add,
                                 request.remove);
      client.asked.push_back(std::move(request));
    }
  }

  // The connection goes; what was under way is lost, with the requests that
  // had no answer.
  void Cut() {
    ++totals_.cuts;
    if (Chance(30)) Drain();
    in_flight_.reset();
    world_.session = Session::Create(&world_.registry);
    if (!world_.registry.index.empty()) Fail("the index has what has gone");
    for (Tracked& watch : tracked_) Resume(&watch);
  }

  // One watch goes and comes back; the others do not notice.
  void Reopen() {
    Take();
    Tracked& watch = tracked_[static_cast<size_t>(Below(kWatches))];
    ++totals_.reopened;
    world_.session->RemoveWatch(watch.id);
    Resume(&watch);
  }

  // It comes back with its token and the keys applied when it was received, or
  // with no token.
  void Resume(Tracked* watch) {
    auto moved = world_.client.watches.extract(watch->id);
    moved.key() = watch->id = ++last_id_;
    world_.client.watches.insert(std::move(moved));
    SessionModel::WatchModel& client = ClientOf(*watch);
    ClientModel& model = client.model;
    totals_.lost_requests += static_cast<int64_t>(client.asked.size());
    if (model.in_fragments && !client.asked.empty()) ++totals_.cut_answers;
    client.asked.clear();
    model.Disconnected();
    bool resumes = !model.token.empty() && Chance(90);
    if (client.keys && client.keys->empty()) {
      // Without keys it would be a watch of all rows.
      client.keys->insert(AnyKey());
      resumes = false;
    }
    if (resumes) {
      ++totals_.resumes;
    } else {
      model.rows.clear();
      model.finality.clear();
      model.position.reset();
      model.watermark = -1;
      model.token.clear();
    }
    Open(*watch, model.token);
  }

  void Drain() {
    Take();
    for (int i = 0; i < 1000 && world_.session->mid_range(); ++i) {
      Send();
      Take();
    }
    if (world_.session->mid_range()) return Fail("in the middle for ever");
    Message message;
    world_.session->Drain(world_.now, 1, &message);
    world_.client.Apply(message.Flat());
    totals_.drains += world_.client.drains;
    world_.client.drains = 0;  // a new connection follows
  }

  void Serve() {
    if (in_flight_.has_value()) {
      ++totals_.blocked;
    } else {
      Send();
    }
    if (Chance(60)) Take();
  }

  bool Send() {
    Message message;
    const auto sent = world_.session->Next(world_.now, &message);
    if (!sent.ok()) Fail(sent.status().ToString());
    if (sent.ok() && *sent) in_flight_ = message.Flat();
    // One that is behind, and the last before the message is full.
    if (message.size() > 3 * kMaxMessageBytes) Fail("too large a message");
    return in_flight_.has_value();
  }

  void Take() {
    if (!in_flight_.has_value()) return;
    world_.client.Apply(*std::exchange(in_flight_, std::nullopt));
  }

  // `id` has applied a response with all that belongs to it.
  void Check(uint32_t id) {
    const auto watch =
        std::find_if(tracked_.begin(), tracked_.end(),
                     [id](const Tracked& each) { return each.id == id; });
    const SessionModel::WatchModel& client = world_.client.watches.at(id);
    if (client.failure != 0) return Fail(client.failure_message);
    const size_t applied =
        client.applied.size() -
        std::exchange(watch->applied_seen, client.applied.size());
    totals_.applied += static_cast<int64_t>(applied);
    if (applied > 1) ++totals_.shared;
    const ClientModel& model = client.model;
    if (!model.position) return;
    ++totals_.checks;
    const ModelRows expected = Expected(*watch, client, *model.position);
    if (model.rows == expected) return;
    Fail(absl::StrCat("watch ", id, " differs from the model at ",
                      model.position->value(), ": ", model.rows.size(),
                      " rows, expected ", expected.size(), ", ",
                      client.keys ? client.keys->size() : 0, " keys, ",
                      client.asked.size(), " requests asked"));
  }

  ModelRows Expected(const Tracked& watch,
                     const SessionModel::WatchModel& client, Seq at) const {
    const auto view = world_.store.At(at);
    ModelRows expected;
    for (const auto& [key, row] : view->Rows(kTestView)) {
      if (client.keys && client.keys->count(key) == 0) continue;
      if (watch.where && !Matches(row)) continue;
      expected[key] = row;
    }
    return expected;
  }
  // What kWhere says, without the code under test.
  static bool Matches(const std::string& row) {
    std::vector<Datum> columns(TestSchema().fields.size());
    EXPECT_TRUE(DecodeRow(TestSchema(), row, absl::MakeSpan(columns)).ok());
    return columns[1].text().front() == 'y';
  }

  // In the end all requests have been answered and all are at the head. Twice,
  // so that progress is due after whatever came last.
  void Settle() {
    for (int round = 0; round < 2; ++round) {
      world_.Pass(kDefaultProgressMs + 1);
      world_.registry.Tell();
      for (int i = 0; i < 10'000 && violation().empty(); ++i) {
        const bool sent = Send();
        Take();
        if (!sent && !world_.session->behind()) break;
      }
    }
    for (const Tracked& watch : tracked_) {
      const SessionModel::WatchModel& client = ClientOf(watch);
      if (!client.asked.empty()) Fail("a request without an answer");
      if (client.model.position != world_.store.head()) {
        Fail(absl::StrCat("watch ", watch.id, " is not at the head"));
      }
    }
  }

  std::mt19937_64 random_;
  Totals& totals_;
  const bool large_;
  SessionWorld world_;
  std::array<Tracked, kWatches> tracked_;
  uint32_t last_id_ = 0;
  std::optional<std::string> in_flight_;
  uint64_t requests_ = 0;
  int values_ = 0;
  std::string violation_;
};

TEST(SessionPropertyTest, EachWatchHoldsWhatWasTrueOfItsKeys) {
  Totals totals;
  const char* const only = std::getenv("TIDEGATE_SEED");
  uint64_t first = 1;
  uint64_t last = kSeeds;
  if (only != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(only, &first)) << only;
    last = first;
  }
  for (uint64_t seed = first; seed <= last; ++seed) {
    ASSERT_EQ(World(seed, &totals).Run(), "")
        << "seed=" << seed << " (TIDEGATE_SEED=" << seed << " replays it)";
  }
  std::cout << "messages=" << totals.messages << " updates=" << totals.updates
            << " checks=" << totals.checks << " applied=" << totals.applied
            << " shared=" << totals.shared << " added=" << totals.added
            << " removed=" << totals.removed << " replaced=" << totals.replaced
            << " again=" << totals.again << " cuts=" << totals.cuts
            << " reopened=" << totals.reopened << " resumes=" << totals.resumes
            << " drains=" << totals.drains
            << " lost_requests=" << totals.lost_requests
            << " cut_answers=" << totals.cut_answers
            << " outrun=" << totals.outrun << " bursts=" << totals.bursts
            << " blocked=" << totals.blocked << " resets=" << totals.resets
            << " fragments=" << totals.fragments << " lefts=" << totals.lefts
            << "\n";
  if (only != nullptr) return;
  for (int64_t count :
       {totals.applied, totals.shared, totals.replaced, totals.again,
        totals.resumes, totals.reopened, totals.drains, totals.lost_requests,
        totals.cut_answers, totals.outrun, totals.bursts, totals.blocked,
        totals.resets, totals.fragments, totals.lefts}) {
    EXPECT_GT(count, 0);
  }
  EXPECT_GT(totals.updates, totals.messages);
}

}  // namespace
}  // namespace tidegate
