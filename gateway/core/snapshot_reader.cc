#include "gateway/core/snapshot_reader.h"

#include <utility>

#include "base/status_macros.h"

namespace tidegate {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;

}  // namespace

absl::StatusOr<bool> SnapshotReader::Open(const SnapshotRequest& request,
                                          ProcessingTime now,
                                          std::unique_ptr<LogPin>* pin) {
  if (feeds_ == nullptr) {
    own_feeds_ = SnapshotFeeds::Create(
        store_, [](const std::function<void()>& work) { work(); }, [] {},
        nullptr, {.feeds = 1, .chunks_ahead = 1, .join_ms = 0});
    feeds_ = own_feeds_.get();
  }
  ASSIGN_OR_RETURN(feed_, feeds_->Join(request, this, now, pin));
  next_ = 0;
  awaits_ = feed_ == nullptr;
  ask_again_ = ProcessingTime(now.value() + kMaxChunkAgeMs * kMicrosPerMilli);
  return !awaits_;
}

absl::StatusOr<SnapshotFeed::Got> SnapshotReader::Next(
    ProcessingTime now, std::shared_ptr<const SnapshotChunk>* chunk) {
  ASSIGN_OR_RETURN(const SnapshotFeed::Got got,
                   feed_->Get(this, next_, now, chunk));
  awaits_ = got == SnapshotFeed::Got::kPending;
  if (awaits_) ask_again_ = feed_->ask_again(now);
  if (got == SnapshotFeed::Got::kChunk) ++next_;
  if (got == SnapshotFeed::Got::kGone) Stop();
  return got;
}

void SnapshotReader::Stop() {
  if (feed_ != nullptr) {
    feed_->Leave(this);
    feed_.reset();
  } else if (awaits_) {
    feeds_->Withdraw(this);
  }
  awaits_ = false;
}

}  // namespace tidegate
