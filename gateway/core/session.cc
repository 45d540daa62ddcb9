#include "gateway/core/session.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/core/session_response.h"

namespace tidegate {
namespace {

constexpr ProcessingTime kNoTime{std::numeric_limits<int64_t>::max()};
// A watch that has nothing to say, whatever it says of itself, is not asked
// again sooner.
constexpr int64_t kMinRestUs = 1000;

size_t Index(SubscriberState state) { return static_cast<size_t>(state); }

class SessionImpl : public Session {
 public:
  explicit SessionImpl(WatchRegistry* registry) : registry_(registry) {}
  ~SessionImpl() override {
    for (auto& [id, slot] : slots_) Leave(slot.get());
  }

  void AddWatch(uint32_t id,
                absl::StatusOr<std::unique_ptr<Watch>> watch) override;
  void RemoveWatch(uint32_t id) override;
  void ChangeKeys(uint32_t id, uint64_t request,
                  absl::StatusOr<std::vector<std::string>> add,
                  absl::StatusOr<std::vector<std::string>> remove) override;
  WatchRegistry* registry() const override { return registry_; }
  const Watch* Find(uint32_t id) const override {
    const auto at = slots_.find(id);
    return at == slots_.end() ? nullptr : at->second->watch.get();
  }
  bool accepts_requests() const override {
    return requests_ + failures_.size() < kMaxPendingSessionRequests;
  }

  absl::StatusOr<bool> Next(ProcessingTime now, Message* message) override;
  void Woken(Watch* watch) override;
  ProcessingTime due() const override;
  bool awaits_rows() const override { return !awaiting_.empty(); }
  bool behind() const override { return ready_.empty() && !behind_.empty(); }
  // Its watches count as what they are without it.
  void SetBlocked(bool /*blocked*/) override {}
  bool mid_range() const override { return mid_range_ > 0; }
  void Drain(ProcessingTime now, int64_t retry_after_ms,
             Message* message) override;

 private:
  struct Slot {
    uint32_t id = 0;
    std::unique_ptr<Watch> watch;
    SubscriberState counted = SubscriberState::kCatchingUp;
    bool mid_range = false;
    size_t requests = 0;  // for keys, not answered yet
    size_t keys = 0;      // counted in keys_
    ProcessingTime timer = kNoTime;
  };
  using Ids = std::deque<uint32_t>;  // of listed watches
  using Timer = std::pair<ProcessingTime, uint32_t>;

  Slot* SlotOf(uint32_t id);
  absl::Status Admit(uint32_t id, std::unique_ptr<Watch> watch);
  absl::Status Change(Slot* slot, uint64_t request,
                      absl::StatusOr<std::vector<std::string>> add,
                      absl::StatusOr<std::vector<std::string>> remove);
  void Fail(uint32_t id, const absl::Status& status);
  // Takes it out of everything that knows of it.
  void Leave(Slot* slot);
  void List(Slot* slot, Ids* list);
  // The next one's turn, if there is one: one message of it.
  void AskFirst(Ids* list, ProcessingTime now, std::string* out);
  void Ask(Slot* slot, ProcessingTime now, std::string* out);
  void Answered(Slot* slot, bool live, ProcessingTime now, std::string* out);
  void Rest(Slot* slot, ProcessingTime now);
  void RunTimers(ProcessingTime now);
  void TellFailures(std::string* out);
  void CountKeys(Slot* slot);
  void CountState(Slot* slot);

  WatchRegistry* const registry_;
  absl::flat_hash_map<uint32_t, std::unique_ptr<Slot>> slots_;
  // Each listed watch is in one of these: those with something to say, and
  // those that go on reading or sending what takes several messages.
  Ids ready_;
  Ids behind_;
  bool behind_first_ = false;  // in turns
  // They wait for rows; not listed. Ids of those that have gone may be here.
  std::vector<uint32_t> awaiting_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<std::pair<uint32_t, absl::Status>> failures_;  // to be told
  Message scratch_;
  size_t keys_ = 0;
  size_t requests_ = 0;
  size_t mid_range_ = 0;  // so many watches
};

SessionImpl::Slot* SessionImpl::SlotOf(uint32_t id) {
  const auto at = slots_.find(id);
  return at == slots_.end() ? nullptr : at->second.get();
}

void SessionImpl::AddWatch(uint32_t id,
                           absl::StatusOr<std::unique_ptr<Watch>> watch) {
  const absl::Status status =
      watch.ok() ? Admit(id, *std::move(watch)) : watch.status();
  if (!status.ok()) Fail(id, status);
}

absl::Status SessionImpl::Admit(uint32_t id, std::unique_ptr<Watch> watch) {
  if (slots_.contains(id)) {
    return absl::AlreadyExistsError(
        absl::StrCat("id of a watch is taken: ", id));
  }
  if (slots_.size() >= kMaxWatchesPerSession) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "too many watches in a session, limit ", kMaxWatchesPerSession));
  }
  const size_t keys = watch->subscription->key_count();
  if (keys_ + keys > kMaxKeysPerSession) {
    return absl::ResourceExhaustedError(
        absl::StrCat("too many keys in a session, limit ", kMaxKeysPerSession));
  }
  watch->stream = this;
  watch->id = id;
  RETURN_IF_ERROR(registry_->Add(watch.get()));
  Watch* const added = watch.get();
  added->subscription->SetKeyListener([this, added](absl::string_view key,
                                                    bool joined) {
    joined ? registry_->AddKey(added, key) : registry_->RemoveKey(added, key);
  });
  auto slot = std::make_unique<Slot>();
  slot->id = id;
  slot->watch = std::move(watch);
  ++added->stats->subscribers[Index(slot->counted)];
  CountKeys(slot.get());
  List(slot.get(), &ready_);
  slots_[id] = std::move(slot);
  return absl::OkStatus();
}

void SessionImpl::RemoveWatch(uint32_t id) {
  Slot* const slot = SlotOf(id);
  if (slot == nullptr) return;
  Leave(slot);
  slots_.erase(id);
}

void SessionImpl::Leave(Slot* slot) {
  Watch& watch = *slot->watch;
  registry_->Remove(&watch);
  --watch.stats->subscribers[Index(slot->counted)];
  if (watch.listed) {
    std::erase(ready_, slot->id);
    std::erase(behind_, slot->id);
  }
  if (slot->mid_range) --mid_range_;
  keys_ -= slot->keys;
  requests_ -= slot->requests;
}

void SessionImpl::Fail(uint32_t id, const absl::Status& status) {
  RemoveWatch(id);
  failures_.emplace_back(id, status);
}

void SessionImpl::ChangeKeys(uint32_t id, uint64_t request,
                             absl::StatusOr<std::vector<std::string>> add,
                             absl::StatusOr<std::vector<std::string>> remove) {
  Slot* const slot = SlotOf(id);
  const absl::Status status =
      slot == nullptr
          ? absl::NotFoundError(absl::StrCat("no watch with id ", id))
          : Change(slot, request, std::move(add), std::move(remove));
  if (!status.ok()) Fail(id, status);
}

absl::Status SessionImpl::Change(
    Slot* slot, uint64_t request, absl::StatusOr<std::vector<std::string>> add,
    absl::StatusOr<std::vector<std::string>> remove) {
  RETURN_IF_ERROR(add.status());
  RETURN_IF_ERROR(remove.status());
  // Counted as if they were all new: none of the watch's own is looked for.
  if (keys_ + add->size() > kMaxKeysPerSession) {
    return absl::ResourceExhaustedError(
        absl::StrCat("too many keys in a session, limit ", kMaxKeysPerSession));
  }
  Watch& watch = *slot->watch;
  // It cannot skip any more while it has an answer to give.
  registry_->SkipIdle(&watch);
  RETURN_IF_ERROR(watch.subscription->ChangeKeys(request, *std::move(add),
                                                 *std::move(remove)));
  watch.waiting = false;
  ++slot->requests;
  ++requests_;
  CountKeys(slot);
  List(slot, &ready_);
  return absl::OkStatus();
}

void SessionImpl::CountKeys(Slot* slot) {
  keys_ -= slot->keys;
  slot->keys = slot->watch->subscription->key_count();
  keys_ += slot->keys;
}

void SessionImpl::List(Slot* slot, Ids* list) {
  if (std::exchange(slot->watch->listed, true)) return;
  list->push_back(slot->id);
}

void SessionImpl::Woken(Watch* watch) { List(SlotOf(watch->id), &ready_); }

ProcessingTime SessionImpl::due() const {
  if (!ready_.empty() || !behind_.empty() || !failures_.empty()) {
    return ProcessingTime();
  }
  return timers_.empty() ? kNoTime : timers_.top().first;
}

absl::StatusOr<bool> SessionImpl::Next(ProcessingTime now, Message* message) {
  message->Clear();
  std::string* const out = &message->own;
  RunTimers(now);
  for (const uint32_t id : std::exchange(awaiting_, {})) {
    if (Slot* const slot = SlotOf(id); slot != nullptr) List(slot, &ready_);
  }
  TellFailures(out);
  behind_first_ = !behind_first_;
  if (behind_first_) AskFirst(&behind_, now, out);
  // Who has more to say after its message comes again in a later one.
  for (size_t left = ready_.size();
       left > 0 && !ready_.empty() && out->size() < kMaxMessageBytes; --left) {
    AskFirst(&ready_, now, out);
  }
  if (!behind_first_ && out->size() < kMaxMessageBytes) {
    AskFirst(&behind_, now, out);
  }
  TellFailures(out);
  return !out->empty();
}

void SessionImpl::AskFirst(Ids* list, ProcessingTime now, std::string* out) {
  if (list->empty()) return;
  Slot* const slot = SlotOf(list->front());
  list->pop_front();
  slot->watch->listed = false;
  Ask(slot, now, out);
}

void SessionImpl::Ask(Slot* slot, ProcessingTime now, std::string* out) {
  Watch& watch = *slot->watch;
  Subscription& subscription = *watch.subscription;
  const bool idle = watch.waiting && now < subscription.due();
  bool sent = false;
  if (!idle) {
    registry_->SkipIdle(&watch);
    const bool live = subscription.state() == SubscriberState::kLive;
    const absl::StatusOr<bool> next = subscription.Next(now, &scratch_);
    if (!next.ok()) return Fail(slot->id, next.status());
    sent = *next;
    // Also with a message in hand: it reaches to the head.
    watch.waiting = subscription.settled();
    if (sent) Answered(slot, live, now, out);
    CountState(slot);
  }
  const bool reading =
      sent ? subscription.state() == SubscriberState::kCatchingUp
           : subscription.behind() && !subscription.awaits_rows();
  if (reading || slot->mid_range) {
    List(slot, &behind_);
  } else if (sent && (!watch.waiting || watch.stopped)) {
    List(slot, &ready_);
  } else if (!sent && watch.stopped) {
    Fail(slot->id, watch.pipeline->status());
  } else {
    if (subscription.awaits_rows()) awaiting_.push_back(slot->id);
    Rest(slot, now);
  }
}

void SessionImpl::Answered(Slot* slot, bool live, ProcessingTime now,
                           std::string* out) {
  const Subscription& subscription = *slot->watch->subscription;
  const MessageInfo& info = subscription.last_message();
  AppendUpdate(slot->id, scratch_, info.keys_applied, out);
  if (const size_t applied = info.keys_applied.size(); applied > 0) {
    slot->requests -= applied;
    requests_ -= applied;
    CountKeys(slot);
  }
  if (subscription.mid_range() != slot->mid_range) {
    slot->mid_range = !slot->mid_range;
    slot->mid_range ? ++mid_range_ : --mid_range_;
  }
  ViewStats& stats = *slot->watch->stats;
  ++stats.messages;
  stats.bytes += scratch_.size();
  stats.updates += info.changes;
  if (info.reset) ++stats.resets[static_cast<size_t>(*info.reset)];
  if (live && info.oldest_commit != ProcessingTime()) {
    stats.committed_to_sent.Observe(now.value() - info.oldest_commit.value());
  }
}

void SessionImpl::CountState(Slot* slot) {
  const SubscriberState state = slot->watch->subscription->state();
  if (state == slot->counted) return;
  ViewStats& stats = *slot->watch->stats;
  --stats.subscribers[Index(slot->counted)];
  ++stats.subscribers[Index(state)];
  slot->counted = state;
}

void SessionImpl::Rest(Slot* slot, ProcessingTime now) {
  const ProcessingTime due = std::max(slot->watch->subscription->due(),
                                      ProcessingTime(now.value() + kMinRestUs));
  if (due >= slot->timer) return;
  slot->timer = due;
  timers_.emplace(due, slot->id);
}

void SessionImpl::RunTimers(ProcessingTime now) {
  while (!timers_.empty() && timers_.top().first <= now) {
    const auto [at, id] = timers_.top();
    timers_.pop();
    Slot* const slot = SlotOf(id);
    if (slot == nullptr || slot->timer != at) continue;
    slot->timer = kNoTime;
    if (slot->watch->listed) continue;  // it will rest again
    if (slot->watch->subscription->due() <= now) {
      List(slot, &ready_);
    } else {
      Rest(slot, now);
    }
  }
}

void SessionImpl::TellFailures(std::string* out) {
  for (const auto& [id, status] : failures_) AppendFailure(id, status, out);
  failures_.clear();
}

void SessionImpl::Drain(ProcessingTime /*now*/, int64_t retry_after_ms,
                        Message* message) {
  message->Clear();
  TellFailures(&message->own);
  AppendSessionDrain(retry_after_ms, &message->own);
}

}  // namespace

std::unique_ptr<Session> Session::Create(WatchRegistry* registry) {
  return std::make_unique<SessionImpl>(registry);
}

}  // namespace tidegate
