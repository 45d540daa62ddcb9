// One snapshot feed, and what the feeds of a pipeline share. Internal to
// snapshot_feed.cc.
#ifndef TIDEGATE_GATEWAY_CORE_SHARED_FEED_H_
#define TIDEGATE_GATEWAY_CORE_SHARED_FEED_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "gateway/core/chunk_source.h"
#include "gateway/core/delta_range.h"
#include "gateway/core/snapshot_feed.h"

namespace tidegate {

inline bool HasPassed(ProcessingTime since, int64_t ms, ProcessingTime now) {
  return now.value() - since.value() >= ms * 1000;
}

class SharedFeed;

// What the feeds of a pipeline share. Work that has not begun keeps it alive.
struct FeedHub {
  MaterializedStore* store = nullptr;
  std::function<void(std::function<void()>)> run;
  std::function<void()> on_ready;
  std::atomic<uint64_t>* rows_read = nullptr;
  SnapshotFeedLimits limits;

  Mutex mutex;
  CondVar step_ended;
  size_t steps_under_way ABSL_GUARDED_BY(mutex) = 0;
  std::vector<std::shared_ptr<SharedFeed>> feeds ABSL_GUARDED_BY(mutex);
  // Who waits for a place, the longest first.
  struct Waiting {
    const void* reader;
    ProcessingTime asked;  // last
  };
  std::list<Waiting> line ABSL_GUARDED_BY(mutex);
  absl::flat_hash_map<const void*, std::list<Waiting>::iterator> in_line
      ABSL_GUARDED_BY(mutex);
};

// What is to be done once the lock is released.
struct FeedLater {
  bool wake = false;
  std::shared_ptr<SharedFeed> step;
  std::vector<std::shared_ptr<SharedFeed>> closed;
  std::vector<std::unique_ptr<ChunkSource>> sources;
  std::vector<std::shared_ptr<LogPin>> pins;
};
void DoLater(FeedHub* hub, FeedLater later);

class SharedFeed : public SnapshotFeed,
                   public std::enable_shared_from_this<SharedFeed> {
 public:
  SharedFeed(std::shared_ptr<FeedHub> hub, const SnapshotRequest& request,
             const std::shared_ptr<const ReadView>& rows,
             std::shared_ptr<LogPin> pin, ProcessingTime now)
      : hub_(std::move(hub)),
        request_(request),
        filter_(*request.filter),
        seq_(rows->seq()),
        watermark_(rows->watermark()),
        opened_(now),
        source_(std::make_unique<ChunkSource>(request, rows)),
        pin_(std::move(pin)),
        last_asked_(now) {}

  Seq seq() const override { return seq_; }
  EventTime watermark() const override { return watermark_; }
  absl::StatusOr<Got> Get(const void* reader, uint64_t index,
                          ProcessingTime now,
                          std::shared_ptr<const SnapshotChunk>* chunk) override;
  ProcessingTime ask_again(ProcessingTime now) const override;
  void Leave(const void* reader) override;

  // The lock is hub->mutex, which the analysis cannot tell from hub_->mutex.
  bool Joinable(const SnapshotRequest& request,
                ProcessingTime now) const ABSL_NO_THREAD_SAFETY_ANALYSIS;
  std::unique_ptr<LogPin> Admit(const void* reader, ProcessingTime now)
      ABSL_NO_THREAD_SAFETY_ANALYSIS;
  // Nobody needs it any more, or nobody may.
  bool Over(ProcessingTime now) const ABSL_NO_THREAD_SAFETY_ANALYSIS;
  // Until then it may be joined.
  ProcessingTime join_end() const {
    return ProcessingTime(opened_.value() + hub_->limits.join_ms * 1000);
  }
  ProcessingTime last_asked() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return last_asked_;
  }
  bool deserted() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return readers_.empty();
  }
  // Takes what is to be released without the lock, and itself out of the hub.
  void Close(FeedLater* later) ABSL_NO_THREAD_SAFETY_ANALYSIS;

  // One chunk, on the thread of `run`.
  void Step();

 private:
  struct Reader {
    uint64_t at = 0;       // the chunk that it needs
    ProcessingTime since;  // it got there
  };

  bool JoinOver(ProcessingTime now) const {
    return HasPassed(opened_, hub_->limits.join_ms, now);
  }
  uint64_t end() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex) {
    return first_ + chunks_.size();
  }
  bool Full() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex) {
    return chunks_.size() >= hub_->limits.chunks_ahead;
  }
  absl::StatusOr<Got> Look(const void* reader, uint64_t index,
                           ProcessingTime now,
                           std::shared_ptr<const SnapshotChunk>* chunk,
                           FeedLater* later)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);
  void Move(Reader* reader, uint64_t index, ProcessingTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);
  void Forget(uint64_t position) ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);
  // Frees the chunks that all readers have.
  void Free(ProcessingTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);
  // Leaves behind who has held the others up for too long.
  void DropSlowest(ProcessingTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);
  void StepIfRoom(FeedLater* later) ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);
  // Takes what a step has read.
  void Take(absl::StatusOr<bool> more, std::shared_ptr<SnapshotChunk> chunk,
            std::unique_ptr<ChunkSource>* source, FeedLater* later)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(hub_->mutex);

  const std::shared_ptr<FeedHub> hub_;
  const SnapshotRequest request_;  // its filter is not used
  const SubscriptionFilter filter_;
  const Seq seq_;
  const EventTime watermark_;
  const ProcessingTime opened_;

  // Null while a step has it, and once all rows are read.
  std::unique_ptr<ChunkSource> source_ ABSL_GUARDED_BY(hub_->mutex);
  std::shared_ptr<LogPin> pin_ ABSL_GUARDED_BY(hub_->mutex);
  bool step_due_ ABSL_GUARDED_BY(hub_->mutex) = false;  // or under way
  bool ended_ ABSL_GUARDED_BY(hub_->mutex) = false;
  bool closed_ ABSL_GUARDED_BY(hub_->mutex) = false;
  absl::Status status_ ABSL_GUARDED_BY(hub_->mutex);
  // Chunks first_, first_ + 1, …
  std::deque<std::shared_ptr<const SnapshotChunk>> chunks_
      ABSL_GUARDED_BY(hub_->mutex);
  uint64_t first_ ABSL_GUARDED_BY(hub_->mutex) = 0;
  absl::flat_hash_map<const void*, Reader> readers_
      ABSL_GUARDED_BY(hub_->mutex);
  // How many readers need which chunk first; at most kChunksAhead + 1 entries.
  std::map<uint64_t, size_t> positions_ ABSL_GUARDED_BY(hub_->mutex);
  bool wanted_ ABSL_GUARDED_BY(hub_->mutex) = false;  // by one told kPending
  // Since when somebody waits for a chunk that has no room.
  std::optional<ProcessingTime> held_since_ ABSL_GUARDED_BY(hub_->mutex);
  ProcessingTime last_asked_ ABSL_GUARDED_BY(hub_->mutex);
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SHARED_FEED_H_
