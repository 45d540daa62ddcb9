// A view's rows as of one position, read and encoded once for all subscribers
// of a filter who arrive together. DESIGN §7.
#ifndef TIDEGATE_GATEWAY_CORE_SNAPSHOT_FEED_H_
#define TIDEGATE_GATEWAY_CORE_SNAPSHOT_FEED_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "gateway/core/delta_range.h"
#include "gateway/core/finality.h"
#include "gateway/core/message.h"
#include "views/store/materialized_store.h"

namespace tidegate {

// How many feeds may be open at once: who asks for one more waits. With
// kChunksAhead it bounds the memory of all snapshots under way.
inline constexpr size_t kMaxSnapshotFeeds = 32;
inline constexpr size_t kChunksAhead = 16;
// The slowest reader of a feed holds its chunks back for at most this long;
// then the feed goes on without it, and it takes a feed of its own.
inline constexpr int64_t kMaxChunkAgeMs = 500;

struct SnapshotChunk {
  SharedBytes changes;  // upserts, as the fields of a SubscribeResponse
  size_t rows = 0;
  std::string last_key;  // of the last row
};

// Thread-safe: read by the fan-out's thread, filled on another one.
class SnapshotFeed {
 public:
  virtual ~SnapshotFeed() = default;
  // The commit its rows are as of, and that commit's watermark.
  virtual Seq seq() const = 0;
  virtual EventTime watermark() const = 0;

  enum class Got : uint8_t {
    kChunk,    // *chunk is set
    kPending,  // not there yet: the feeds' on_ready will be called
    kEnd,      // there are no rows after chunk `index` - 1
    kGone,     // too late for it, or the rows have become too old: go on with
               // another feed after the last key
  };
  // Chunks count from 0. A reader asks for them in turn, `reader` being its own
  // address: asking for `index` frees the ones before it.
  virtual absl::StatusOr<Got> Get(
      const void* reader, uint64_t index, ProcessingTime now,
      std::shared_ptr<const SnapshotChunk>* chunk) = 0;
  virtual void Leave(const void* reader) = 0;
};

struct SnapshotRequest {
  const SubscriptionFilter* filter = nullptr;  // copied if a feed is opened
  uint64_t filter_hash = 0;
  WindowEnd window;
  std::string after_key;   // "": from the first row
  bool from_start = true;  // after_key is not used
};

// The feeds of one pipeline. Thread-safe.
class SnapshotFeeds {
 public:
  // `run` executes work on another thread (tests: at once); `on_ready` is told,
  // on that thread, when a chunk or a place has become free. `rows_read` counts
  // rows that were iterated over.
  static std::unique_ptr<SnapshotFeeds> Create(
      MaterializedStore* store, std::function<void(std::function<void()>)> run,
      std::function<void()> on_ready, std::atomic<uint64_t>* rows_read);
  virtual ~SnapshotFeeds() = default;

  // A feed for a reader who has everything up to after_key: one that is open
  // and has not freed a chunk yet that this reader needs, or a new one. Null if
  // there are kMaxSnapshotFeeds: ask again after on_ready. `pin`, if null, gets
  // a pin on the log after the feed's rows.
  virtual absl::StatusOr<std::shared_ptr<SnapshotFeed>> Join(
      const SnapshotRequest& request, const void* reader, ProcessingTime now,
      std::unique_ptr<LogPin>* pin) = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SNAPSHOT_FEED_H_
