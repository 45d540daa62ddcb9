#include "gateway/core/snapshot_feed.h"

#include <algorithm>
#include <iterator>
#include <list>
#include <utility>
#include <vector>

#include "gateway/core/shared_feed.h"

namespace tidegate {
namespace {

class FeedsImpl : public SnapshotFeeds {
 public:
  explicit FeedsImpl(std::shared_ptr<FeedHub> hub) : hub_(std::move(hub)) {}
  ~FeedsImpl() override;
  absl::StatusOr<std::shared_ptr<SnapshotFeed>> Join(
      const SnapshotRequest& request, const void* reader, ProcessingTime now,
      std::unique_ptr<LogPin>* pin) override;
  void Withdraw(const void* reader) override;
  std::optional<ProcessingTime> Tend(ProcessingTime now) override;

 private:
  // Ends the feeds that are over, and one that its readers have left alone if
  // there is no place without.
  void MakeRoom(ProcessingTime now, FeedLater* later)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);
  // Puts the reader in line; whether there is a place for it, those before it
  // having theirs. Who has not asked for kMaxTurnAgeMs is put last.
  bool MayOpen(const void* reader, ProcessingTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);
  void LeaveLine(const void* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);
  std::shared_ptr<SharedFeed> FindJoinable(const SnapshotRequest& request,
                                           ProcessingTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);

  const std::shared_ptr<FeedHub> hub_;
};

FeedsImpl::~FeedsImpl() {
  FeedLater later;
  {
    MutexLock lock(&hub_->mutex);
    hub_->line.clear();
    hub_->in_line.clear();
    const std::vector<std::shared_ptr<SharedFeed>> feeds = hub_->feeds;
    for (const std::shared_ptr<SharedFeed>& feed : feeds) feed->Close(&later);
    while (hub_->steps_under_way > 0) hub_->step_ended.Wait(&hub_->mutex);
  }
  later.wake = false;
  DoLater(hub_.get(), std::move(later));
}

void FeedsImpl::MakeRoom(ProcessingTime now, FeedLater* later) {
  const std::vector<std::shared_ptr<SharedFeed>> feeds = hub_->feeds;
  std::shared_ptr<SharedFeed> oldest;
  for (const std::shared_ptr<SharedFeed>& feed : feeds) {
    if (feed->Over(now)) {
      feed->Close(later);
    } else if (oldest == nullptr || feed->last_asked() < oldest->last_asked()) {
      oldest = feed;
    }
  }
  if (hub_->feeds.size() < hub_->limits.feeds) return;
  for (const std::shared_ptr<SharedFeed>& feed : feeds) {
    if (!feed->deserted()) continue;
    feed->Close(later);
    return;
  }
  if (HasPassed(oldest->last_asked(), kMaxChunkAgeMs, now)) {
    oldest->Close(later);
  }
}

std::optional<ProcessingTime> FeedsImpl::Tend(ProcessingTime now) {
  FeedLater later;
  std::optional<ProcessingTime> again;
  {
    MutexLock lock(&hub_->mutex);
    if (hub_->feeds.empty()) return std::nullopt;
    const std::vector<std::shared_ptr<SharedFeed>> feeds = hub_->feeds;
    for (const std::shared_ptr<SharedFeed>& feed : feeds) {
      if (feed->Over(now)) {
        feed->Close(&later);
      } else if (feed->deserted()) {
        again = std::min(again.value_or(feed->join_end()), feed->join_end());
      }
    }
  }
  DoLater(hub_.get(), std::move(later));
  return again;
}

void FeedsImpl::LeaveLine(const void* reader) {
  const auto at = hub_->in_line.find(reader);
  if (at == hub_->in_line.end()) return;
  hub_->line.erase(at->second);
  hub_->in_line.erase(at);
}

bool FeedsImpl::MayOpen(const void* reader, ProcessingTime now) {
  std::list<FeedHub::Waiting>& line = hub_->line;
  const auto in_line = hub_->in_line.find(reader);
  if (in_line == hub_->in_line.end()) {
    hub_->in_line[reader] = line.insert(line.end(), {reader, now});
  } else {
    in_line->second->asked = now;
  }
  const size_t open = hub_->feeds.size();
  size_t places = hub_->limits.feeds - std::min(open, hub_->limits.feeds);
  for (auto at = line.begin(); places > 0;) {
    if (at->reader == reader) return true;
    const auto next = std::next(at);
    if (HasPassed(at->asked, kMaxTurnAgeMs, now)) {
      at->asked = now;
      line.splice(line.end(), line, at);
    } else {
      --places;
    }
    at = next;
  }
  return false;
}

std::shared_ptr<SharedFeed> FeedsImpl::FindJoinable(
    const SnapshotRequest& request, ProcessingTime now) {
  for (const std::shared_ptr<SharedFeed>& feed : hub_->feeds) {
    if (feed->Joinable(request, now)) return feed;
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<SnapshotFeed>> FeedsImpl::Join(
    const SnapshotRequest& request, const void* reader, ProcessingTime now,
    std::unique_ptr<LogPin>* pin) {
  FeedLater later;
  std::shared_ptr<SharedFeed> feed;
  absl::Status status;
  {
    MutexLock lock(&hub_->mutex);
    feed = FindJoinable(request, now);
    if (feed == nullptr || feed->Over(now)) {
      MakeRoom(now, &later);
      feed = FindJoinable(request, now);
    }
    if (feed == nullptr && MayOpen(reader, now)) {
      std::unique_ptr<LogPin> first;
      const std::shared_ptr<const ReadView> rows =
          hub_->store->BaseView(now, &first);
      if (rows->seq() < request.at_least) {
        status =
            absl::OutOfRangeError("rows are older than those already sent");
        LeaveLine(reader);
        later.wake = !hub_->line.empty();
      } else {
        feed = std::make_shared<SharedFeed>(hub_, request, rows,
                                            std::move(first), now);
        hub_->feeds.push_back(feed);
        // Others in line may want the same rows.
        LeaveLine(reader);
        later.wake = !hub_->line.empty();
      }
    }
    if (feed != nullptr) {
      LeaveLine(reader);
      std::unique_ptr<LogPin> own = feed->Admit(reader, now);
      if (*pin == nullptr) *pin = std::move(own);
    }
  }
  DoLater(hub_.get(), std::move(later));
  if (!status.ok()) return status;
  return feed;
}

void FeedsImpl::Withdraw(const void* reader) {
  bool wake = false;
  {
    MutexLock lock(&hub_->mutex);
    LeaveLine(reader);
    wake = !hub_->line.empty() && hub_->feeds.size() < hub_->limits.feeds;
  }
  if (wake) hub_->on_ready();
}

}  // namespace

std::unique_ptr<SnapshotFeeds> SnapshotFeeds::Create(
    MaterializedStore* store, std::function<void(std::function<void()>)> run,
    std::function<void()> on_ready, std::atomic<uint64_t>* rows_read,
    SnapshotFeedLimits limits) {
  auto hub = std::make_shared<FeedHub>();
  hub->store = store;
  hub->run = std::move(run);
  hub->on_ready = std::move(on_ready);
  hub->rows_read = rows_read;
  hub->limits = limits;
  return std::make_unique<FeedsImpl>(std::move(hub));
}

}  // namespace tidegate
