// A view's rows as of one position, read and encoded once for all subscribers
// of a filter who arrive together. DESIGN §7.
#ifndef TIDEGATE_GATEWAY_CORE_SNAPSHOT_FEED_H_
#define TIDEGATE_GATEWAY_CORE_SNAPSHOT_FEED_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "gateway/core/delta_range.h"
#include "gateway/core/finality.h"
#include "gateway/core/message.h"
#include "views/store/materialized_store.h"

namespace tidegate {

// How many feeds may be open at once: who asks for one more waits. A feed holds
// kChunksAhead chunks of kMaxMessageBytes and one row each, so that all feeds
// of a pipeline together hold about 32 MiB, however many read them.
inline constexpr size_t kMaxSnapshotFeeds = 32;
inline constexpr size_t kChunksAhead = 16;
// A new feed keeps its first chunks for this long, read by all its readers or
// not, so that who arrives within it shares them. Views of up to kChunksAhead
// chunks do not notice it.
inline constexpr int64_t kFeedJoinMs = 200;
// The slowest reader of a feed holds its chunks back for at most this long;
// then the feed goes on without it, and it takes a feed of its own. A feed that
// nobody has asked for so long gives its place to one who waits for a place.
inline constexpr int64_t kMaxChunkAgeMs = 500;
// Who is first in line for a place and has not asked for so long is put last:
// one that is blocked keeps nobody waiting.
inline constexpr int64_t kMaxTurnAgeMs = 2 * kMaxChunkAgeMs;
// A chunk ends once this much was read for it, even if few rows matched.
inline constexpr size_t kMaxChunkScanBytes = 1u << 20;

struct SnapshotFeedLimits {
  size_t feeds = kMaxSnapshotFeeds;
  size_t chunks_ahead = kChunksAhead;
  int64_t join_ms = kFeedJoinMs;
};

struct SnapshotChunk {
  SharedBytes changes;   // upserts, as the fields of a SubscribeResponse
  size_t rows = 0;       // 0: of what was read, nothing matches
  std::string last_key;  // of the last row read, whether it matches or not
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
  // address: asking for `index` frees the ones before it. An error is the
  // store's.
  virtual absl::StatusOr<Got> Get(
      const void* reader, uint64_t index, ProcessingTime now,
      std::shared_ptr<const SnapshotChunk>* chunk) = 0;
  // After kPending: when to ask again although on_ready was not called.
  virtual ProcessingTime ask_again(ProcessingTime now) const = 0;
  // Without readers the feed ends, unless it has read all rows and others may
  // still arrive.
  virtual void Leave(const void* reader) = 0;
};

struct SnapshotRequest {
  const SubscriptionFilter* filter = nullptr;  // copied if a feed is opened
  uint64_t filter_hash = 0;
  WindowEnd window;
  std::string after_key;   // "": from the first row
  bool from_start = true;  // after_key is not used
  Seq at_least;            // rows of an older commit are of no use
};

// Where rows are read: `run` executes work on another thread (tests: at once),
// `on_ready` is told, on any thread, that a chunk or a place has become free;
// it must not call back.
struct SnapshotWork {
  std::function<void(std::function<void()>)> run;
  std::function<void()> on_ready;
};

// The feeds of one pipeline. Thread-safe. Lock order: the one lock of all
// feeds, then those of the store; none is held while rows are read, nor around
// `run` and `on_ready`.
class SnapshotFeeds {
 public:
  // `run` executes work on another thread (tests: at once, or when told).
  // `on_ready` is told that a chunk or a place has become free: on any thread,
  // also from within a call; it only wakes. `rows_read`, unless null, counts
  // rows that were iterated over.
  static std::unique_ptr<SnapshotFeeds> Create(
      MaterializedStore* store, std::function<void(std::function<void()>)> run,
      std::function<void()> on_ready, std::atomic<uint64_t>* rows_read,
      SnapshotFeedLimits limits = {});
  // Waits for the work under way; what has not begun does nothing any more, and
  // feeds that readers still hold are gone.
  virtual ~SnapshotFeeds() = default;

  // A feed for a reader who has everything up to after_key: one that is open
  // and has not freed a chunk yet that this reader needs, or a new one. Null if
  // there are as many as may be: ask again after on_ready, or after
  // kMaxChunkAgeMs; places are given in the order of asking. `pin`, if null,
  // gets a pin on the log after the feed's rows. OutOfRange if the store's rows
  // are older than at_least.
  virtual absl::StatusOr<std::shared_ptr<SnapshotFeed>> Join(
      const SnapshotRequest& request, const void* reader, ProcessingTime now,
      std::unique_ptr<LogPin>* pin) = 0;
  // The reader does not wait for a place any more.
  virtual void Withdraw(const void* reader) = 0;
  // Ends the feeds that are over, which else keep their chunks and the log
  // until another is opened. When to call it again, if readers have left one
  // that may still be joined.
  virtual std::optional<ProcessingTime> Tend(ProcessingTime now) = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SNAPSHOT_FEED_H_
