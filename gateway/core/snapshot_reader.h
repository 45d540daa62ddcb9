// One subscriber's place in the feeds of a pipeline.
#ifndef TIDEGATE_GATEWAY_CORE_SNAPSHOT_READER_H_
#define TIDEGATE_GATEWAY_CORE_SNAPSHOT_READER_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "gateway/core/snapshot_feed.h"

namespace tidegate {

// Leaves its feed, or the line for one, when it ends. Thread-compatible; not
// movable, for feeds know it by its address.
class SnapshotReader {
 public:
  // Without `feeds` it reads by itself, a chunk at a time and on the caller's
  // thread.
  SnapshotReader(SnapshotFeeds* feeds, MaterializedStore* store)
      : feeds_(feeds), store_(store) {}
  ~SnapshotReader() { Stop(); }
  SnapshotReader(const SnapshotReader&) = delete;
  SnapshotReader& operator=(const SnapshotReader&) = delete;

  bool open() const { return feed_ != nullptr; }
  // False if it has to wait for a place. `pin` as of SnapshotFeeds::Join.
  absl::StatusOr<bool> Open(const SnapshotRequest& request, ProcessingTime now,
                            std::unique_ptr<LogPin>* pin);
  // While open.
  Seq seq() const { return feed_->seq(); }
  EventTime watermark() const { return feed_->watermark(); }

  // Requires open(). After kGone it is not open.
  absl::StatusOr<SnapshotFeed::Got> Next(
      ProcessingTime now, std::shared_ptr<const SnapshotChunk>* chunk);

  // The last call has found nothing yet: call again after on_ready, or at
  // ask_again().
  bool awaits() const { return awaits_; }
  ProcessingTime ask_again() const { return ask_again_; }
  void Stop();

 private:
  SnapshotFeeds* feeds_;
  MaterializedStore* const store_;
  std::unique_ptr<SnapshotFeeds> own_feeds_;
  std::shared_ptr<SnapshotFeed> feed_;
  uint64_t next_ = 0;  // chunk
  bool awaits_ = false;
  ProcessingTime ask_again_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SNAPSHOT_READER_H_
