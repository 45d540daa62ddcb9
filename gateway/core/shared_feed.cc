#include "gateway/core/shared_feed.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/core/subscription.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

ProcessingTime After(ProcessingTime at, int64_t ms) {
  return ProcessingTime(at.value() + ms * 1000);
}

// A hash may be made to collide, but nobody is to be sent what another has
// asked for.
bool SameRows(const SubscriptionFilter& a, const SubscriptionFilter& b) {
  if (a.view != b.view || a.prefix != b.prefix) return false;
  if (a.where == nullptr || b.where == nullptr) return a.where == b.where;
  return a.where == b.where || a.where->canonical() == b.where->canonical();
}

// A pin that several readers hold.
class SharedPin : public LogPin {
 public:
  explicit SharedPin(std::shared_ptr<LogPin> pin) : pin_(std::move(pin)) {}

 private:
  const std::shared_ptr<LogPin> pin_;
};

}  // namespace

bool SharedFeed::Joinable(const SnapshotRequest& request,
                          ProcessingTime now) const {
  return !closed_ && status_.ok() && first_ == 0 && !held_since_ &&
         request_.filter_hash == request.filter_hash &&
         request_.from_start == request.from_start &&
         (request.from_start || request_.after_key == request.after_key) &&
         seq_ >= request.at_least && SameRows(filter_, *request.filter) &&
         !HasPassed(opened_, kMaxSnapshotViewMs / 2, now);
}

std::unique_ptr<LogPin> SharedFeed::Admit(const void* reader,
                                          ProcessingTime now) {
  if (readers_.emplace(reader, Reader{0, now}).second) ++positions_[0];
  last_asked_ = now;
  return std::make_unique<SharedPin>(pin_);
}

bool SharedFeed::Over(ProcessingTime now) const {
  return HasPassed(opened_, kMaxSnapshotViewMs, now) ||
         (readers_.empty() && JoinOver(now));
}

void SharedFeed::Close(FeedLater* later) {
  if (closed_) return;
  closed_ = true;
  readers_.clear();
  positions_.clear();
  chunks_.clear();
  if (source_ != nullptr) later->sources.push_back(std::move(source_));
  later->pins.push_back(std::move(pin_));
  later->closed.push_back(shared_from_this());
  later->wake |= wanted_ || !hub_->line.empty();
  wanted_ = false;
  std::erase(hub_->feeds, shared_from_this());
}

void SharedFeed::Forget(uint64_t position) {
  const auto at = positions_.find(position);
  if (--at->second == 0) positions_.erase(at);
}

void SharedFeed::Move(Reader* reader, uint64_t index, ProcessingTime now) {
  if (index <= reader->at) return;
  Forget(reader->at);
  *reader = {index, now};
  ++positions_[index];
}

void SharedFeed::Free(ProcessingTime now) {
  if (!JoinOver(now) || positions_.empty()) return;
  const uint64_t needed = positions_.begin()->first;
  while (first_ < needed && !chunks_.empty()) {
    chunks_.pop_front();
    ++first_;
    held_since_.reset();
  }
}

// All of them, however far apart: else the next would hold the feed up as long
// again.
void SharedFeed::DropSlowest(ProcessingTime now) {
  for (auto at = readers_.begin(); at != readers_.end();) {
    const Reader& reader = at->second;
    if (reader.at == end() || !HasPassed(reader.since, kMaxChunkAgeMs, now)) {
      ++at;
      continue;
    }
    Forget(reader.at);
    readers_.erase(at++);
  }
  Free(now);
}

void SharedFeed::StepIfRoom(FeedLater* later) {
  if (closed_ || ended_ || step_due_ || Full()) return;
  step_due_ = true;
  later->step = shared_from_this();
}

absl::StatusOr<SnapshotFeed::Got> SharedFeed::Look(
    const void* reader, uint64_t index, ProcessingTime now,
    std::shared_ptr<const SnapshotChunk>* chunk, FeedLater* later) {
  if (HasPassed(opened_, kMaxSnapshotViewMs, now)) Close(later);
  const auto at = readers_.find(reader);
  if (at == readers_.end()) return Got::kGone;
  last_asked_ = now;
  Move(&at->second, index, now);
  Free(now);
  if (index < end()) {
    *chunk = chunks_[index - first_];
    StepIfRoom(later);
    return Got::kChunk;
  }
  if (!status_.ok()) return status_;
  if (ended_) return Got::kEnd;
  if (Full() && JoinOver(now)) {
    held_since_ = held_since_.value_or(now);
    if (HasPassed(*held_since_, kMaxChunkAgeMs, now)) DropSlowest(now);
  }
  StepIfRoom(later);
  wanted_ = true;
  return Got::kPending;
}

absl::StatusOr<SnapshotFeed::Got> SharedFeed::Get(
    const void* reader, uint64_t index, ProcessingTime now,
    std::shared_ptr<const SnapshotChunk>* chunk) {
  // Twice, because a step may be run at once.
  for (int i = 0;; ++i) {
    FeedLater later;
    absl::StatusOr<Got> got = Got::kPending;
    {
      MutexLock lock(&hub_->mutex);
      got = Look(reader, index, now, chunk, &later);
    }
    const bool stepped = later.step != nullptr;
    DoLater(hub_.get(), std::move(later));
    if (!stepped || i > 0 || !got.ok() || *got != Got::kPending) return got;
  }
}

ProcessingTime SharedFeed::ask_again(ProcessingTime now) const {
  MutexLock lock(&hub_->mutex);
  if (!JoinOver(now)) return join_end();
  return After(held_since_.value_or(now), kMaxChunkAgeMs);
}

void SharedFeed::Leave(const void* reader) {
  FeedLater later;
  {
    MutexLock lock(&hub_->mutex);
    const auto at = readers_.find(reader);
    if (at == readers_.end()) return;
    Forget(at->second.at);
    readers_.erase(at);
    Free(last_asked_);
    const bool may_be_joined =
        ended_ && status_.ok() && first_ == 0 && !JoinOver(last_asked_);
    if (readers_.empty() && !may_be_joined) {
      Close(&later);
    } else {
      later.wake = readers_.empty() && !hub_->line.empty();
      StepIfRoom(&later);
    }
  }
  DoLater(hub_.get(), std::move(later));
}

void SharedFeed::Take(absl::StatusOr<bool> more,
                      std::shared_ptr<SnapshotChunk> chunk,
                      std::unique_ptr<ChunkSource>* source, FeedLater* later) {
  step_due_ = false;
  if (closed_) return;
  if (!more.ok()) {
    status_ =
        Annotate(more.status(), absl::StrCat("snapshot at seq=", seq_.value()));
    ended_ = true;
  } else {
    if (!chunk->last_key.empty() || chunk->rows > 0) {
      chunks_.push_back(std::move(chunk));
    }
    ended_ = !*more;
  }
  if (!ended_) source_ = std::move(*source);
  later->wake |= std::exchange(wanted_, false);
  StepIfRoom(later);
}

void SharedFeed::Step() {
  std::unique_ptr<ChunkSource> source;
  {
    MutexLock lock(&hub_->mutex);
    if (closed_) return;
    source = std::move(source_);
    ++hub_->steps_under_way;
  }
  auto chunk = std::make_shared<SnapshotChunk>();
  uint64_t rows_read = 0;
  absl::StatusOr<bool> more = source->Read(chunk.get(), &rows_read);
  if (hub_->rows_read != nullptr) {
    hub_->rows_read->fetch_add(rows_read, std::memory_order_relaxed);
  }
  FeedLater later;
  {
    MutexLock lock(&hub_->mutex);
    Take(std::move(more), std::move(chunk), &source, &later);
  }
  source.reset();
  DoLater(hub_.get(), std::move(later));
  MutexLock lock(&hub_->mutex);
  --hub_->steps_under_way;
  hub_->step_ended.SignalAll();
}

void DoLater(FeedHub* hub, FeedLater later) {
  // Before others are told that there is room.
  later.sources.clear();
  later.pins.clear();
  if (later.step != nullptr) {
    hub->run([feed = std::move(later.step)] { feed->Step(); });
  }
  if (later.wake) hub->on_ready();
}

}  // namespace tidegate
