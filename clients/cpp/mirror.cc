#include "clients/cpp/mirror.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate::client {

using std::chrono::steady_clock;

// A change, read: without a row its key is erased.
struct Mirror::Step {
  Change::Kind kind = Change::Kind::kUpsert;
  std::string order;
  RowRef row;
};

absl::string_view MirrorStateName(MirrorState state) {
  switch (state) {
    case MirrorState::kLoading:
      return "loading";
    case MirrorState::kLive:
      return "live";
    case MirrorState::kDisconnected:
      return "disconnected";
    case MirrorState::kEnded:
      break;
  }
  return "ended";
}

RowRef MirrorSnapshot::Find(absl::string_view key) const {
  if (order == nullptr) return nullptr;
  const auto wanted = order->Of(key);
  return wanted.ok() ? rows.Find(*wanted) : nullptr;
}

bool MirrorSnapshot::Reached(const StreamPosition& least) const {
  if (!position.has_value()) return false;
  for (const auto& [partition, seq] : least.seqs) {
    const auto at = position->seqs.find(partition);
    if (at == position->seqs.end() || at->second < seq) return false;
  }
  return true;
}

MirrorSnapshot Mirror::Read() const {
  MutexLock lock(&mutex_);
  return now_;
}

RowRef Mirror::Find(absl::string_view key) const {
  MutexLock lock(&mutex_);
  return now_.Find(key);
}

size_t Mirror::size() const {
  MutexLock lock(&mutex_);
  return now_.rows.size();
}

MirrorState Mirror::state() const {
  MutexLock lock(&mutex_);
  return now_.state;
}

absl::Status Mirror::WaitUntil(
    absl::FunctionRef<bool(const MirrorSnapshot& now)> condition,
    std::chrono::milliseconds timeout) const {
  const auto until = steady_clock::now() + timeout;
  while (true) {
    uint64_t seen = 0;
    MirrorSnapshot now;
    {
      MutexLock lock(&mutex_);
      now = now_;
      seen = version_;
    }
    if (condition(now)) return absl::OkStatus();
    const MirrorState state = now.state;
    now = MirrorSnapshot();  // what nobody else holds is changed in place
    MutexLock lock(&mutex_);
    if (state == MirrorState::kEnded) {
      return ended_.ok() ? absl::CancelledError("it was stopped") : ended_;
    }
    while (version_ == seen) {
      const auto left = until - steady_clock::now();
      if (left.count() <= 0) {
        return absl::DeadlineExceededError(absl::StrCat(
            "not so within ", timeout.count(), " ms; the mirror is ",
            MirrorStateName(state), " with ", now_.rows.size(), " rows"));
      }
      changed_.WaitFor(&mutex_,
                       std::chrono::ceil<std::chrono::microseconds>(left));
    }
  }
}

absl::Status Mirror::WaitUntilLive(std::chrono::milliseconds timeout) const {
  return WaitUntil(
      [](const MirrorSnapshot& now) { return now.state == MirrorState::kLive; },
      timeout);
}

absl::Status Mirror::WaitUntilAt(const StreamPosition& position,
                                 std::chrono::milliseconds timeout) const {
  return WaitUntil(
      [&](const MirrorSnapshot& now) { return now.Reached(position); },
      timeout);
}

void Mirror::SetOrder(KeyOrder order) {
  next_order_ = std::make_shared<const KeyOrder>(std::move(order));
}

void Mirror::SetState(MirrorState state) {
  MutexLock lock(&mutex_);
  if (now_.state == state) return;
  now_.state = state;
  ++version_;
  changed_.SignalAll();
}

// A new state of the rows is there.
void Mirror::Tell(const Event& event) {
  now_.position = event.position;
  if (event.watermark_us.has_value()) now_.watermark_us = event.watermark_us;
  now_.state = MirrorState::kLive;
  ++version_;
  changed_.SignalAll();
}

absl::StatusOr<std::vector<Mirror::Step>> Mirror::Prepare(
    const Event& event, const KeyOrder* order) {
  if (order == nullptr) {
    return absl::FailedPreconditionError("rows came before their key's order");
  }
  std::vector<Step> steps;
  steps.reserve(event.changes.size());
  for (const Change& change : event.changes) {
    Step step;
    step.kind = change.kind;
    ASSIGN_OR_RETURN(step.order, order->Of(change.bytes));
    if (change.kind == Change::Kind::kUpsert) {
      step.row = std::make_shared<const MirroredRow>(
          MirroredRow{step.order, change.bytes, change.finality});
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

void Mirror::Run(std::vector<Step> steps, RowMap* rows,
                 std::vector<RowChange>* changes) {
  for (Step& step : steps) {
    RowChange change;
    change.kind = step.kind;
    change.after = step.row;
    change.before = step.row == nullptr ? rows->Erase(step.order)
                                        : rows->Put(std::move(step.row));
    if (changes != nullptr && !SameRow(change.before, change.after)) {
      changes->push_back(std::move(change));
    }
  }
}

absl::Status Mirror::CheckLimits(const RowMap& rows) const {
  if (rows.size() > limits_.max_rows) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the mirror is full: more rows than max_rows, ", limits_.max_rows));
  }
  if (rows.bytes() > limits_.max_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the mirror is full: more bytes than max_bytes, ", limits_.max_bytes));
  }
  return absl::OkStatus();
}

void Mirror::StartOver() {
  in_snapshot_ = true;
  staged_ = RowMap();
  staged_at_token_ = RowMap();
  staged_token_.clear();
  SetState(MirrorState::kLoading);
}

absl::Status Mirror::ApplyConnected(const Event& event) {
  if (event.token.empty()) {
    StartOver();
    return absl::OkStatus();
  }
  // What came after the token comes again, if it is still so.
  staged_ = staged_at_token_;
  SetState(in_snapshot_ ? MirrorState::kLoading : MirrorState::kLive);
  return absl::OkStatus();
}

absl::Status Mirror::ApplySnapshot(const Event& event) {
  ASSIGN_OR_RETURN(std::vector<Step> steps, Prepare(event, next_order_.get()));
  if (!in_snapshot_) {
    // Resumed from another subscriber's token, in the middle of a snapshot.
    StartOver();
  }
  Run(std::move(steps), &staged_, nullptr);
  RETURN_IF_ERROR(CheckLimits(staged_));
  KeepStaged(event);
  return absl::OkStatus();
}

// A stream that begins with the event's token brings what is not staged yet.
void Mirror::KeepStaged(const Event& event) {
  if (!in_snapshot_ || event.token.empty()) return;
  if (event.token == staged_token_) return;
  staged_token_ = event.token;
  staged_at_token_ = staged_;
}

absl::Status Mirror::ApplySnapshotEnd(const Event& event,
                                      std::vector<RowChange>* changes) {
  RowMap before;
  {
    MutexLock lock(&mutex_);
    before = now_.rows;
  }
  if (changes != nullptr) {
    const auto tell = [changes](const RowRef& was, const RowRef& is) {
      changes->push_back(
          {is == nullptr ? Change::Kind::kDeleted : Change::Kind::kUpsert, was,
           is});
    };
    // Rows whose keys are read in two ways have nothing to do with each other.
    const bool comparable =
        order_ == nullptr || next_order_ == nullptr || *order_ == *next_order_;
    if (!comparable) RowMap::Diff(before, RowMap(), tell);
    RowMap::Diff(comparable ? before : RowMap(), staged_, tell);
  }
  order_ = next_order_;
  in_snapshot_ = false;
  staged_at_token_ = RowMap();
  staged_token_.clear();
  MutexLock lock(&mutex_);
  now_.rows = std::exchange(staged_, RowMap());
  now_.order = order_;
  Tell(event);
  return absl::OkStatus();
}

absl::Status Mirror::ApplyChanges(const Event& event,
                                  std::vector<RowChange>* changes) {
  if (order_ == nullptr) order_ = next_order_;  // resumed by another's token
  ASSIGN_OR_RETURN(std::vector<Step> steps, Prepare(event, order_.get()));
  size_t bytes = 0;
  for (const Step& step : steps) {
    if (step.row != nullptr) bytes += RowMap::BytesOf(*step.row);
  }
  // Destroyed after the lock is gone.
  std::vector<RowChange> told;
  MutexLock lock(&mutex_);
  const bool may_pass = now_.rows.size() + steps.size() > limits_.max_rows ||
                        now_.rows.bytes() + bytes > limits_.max_bytes;
  RowMap before;
  if (may_pass) before = now_.rows;
  Run(std::move(steps), &now_.rows, &told);
  if (may_pass) {
    if (absl::Status full = CheckLimits(now_.rows); !full.ok()) {
      now_.rows = std::move(before);
      return full;
    }
  }
  now_.order = order_;
  Tell(event);
  if (changes != nullptr) {
    changes->insert(changes->end(), told.begin(), told.end());
  }
  return absl::OkStatus();
}

absl::Status Mirror::Apply(const Event& event,
                           std::vector<RowChange>* changes) {
  switch (event.kind) {
    case Event::Kind::kConnected:
      return ApplyConnected(event);
    case Event::Kind::kSnapshot:
      return ApplySnapshot(event);
    case Event::Kind::kSnapshotEnd:
      return ApplySnapshotEnd(event, changes);
    case Event::Kind::kChanges:
      return ApplyChanges(event, changes);
    case Event::Kind::kReset:
      StartOver();
      return absl::OkStatus();
    case Event::Kind::kDisconnected:
      SetState(MirrorState::kDisconnected);
      return absl::OkStatus();
    case Event::Kind::kDrain:
      KeepStaged(event);
      return absl::OkStatus();
    case Event::Kind::kBroken:
      break;
  }
  return absl::OkStatus();
}

absl::Status Mirror::Forget(const std::vector<std::string>& keys,
                            std::vector<RowChange>* changes) {
  Event left;
  for (const std::string& key : keys) {
    left.changes.push_back({Change::Kind::kLeft, key});
  }
  if (in_snapshot_) {
    ASSIGN_OR_RETURN(std::vector<Step> steps, Prepare(left, next_order_.get()));
    Run(steps, &staged_at_token_, nullptr);
    Run(std::move(steps), &staged_, nullptr);
  }
  if (order_ == nullptr) return absl::OkStatus();  // there are no rows
  ASSIGN_OR_RETURN(std::vector<Step> steps, Prepare(left, order_.get()));
  MutexLock lock(&mutex_);
  Run(std::move(steps), &now_.rows, changes);
  ++version_;
  changed_.SignalAll();
  return absl::OkStatus();
}

void Mirror::Nudge() {
  MutexLock lock(&mutex_);
  ++version_;
  changed_.SignalAll();
}

void Mirror::End(absl::Status why) {
  MutexLock lock(&mutex_);
  ended_ = std::move(why);
  now_.state = MirrorState::kEnded;
  ++version_;
  changed_.SignalAll();
}

}  // namespace tidegate::client
