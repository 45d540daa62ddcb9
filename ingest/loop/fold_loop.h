// The fold loop of one pipeline: take what is ready, decode, fold, commit,
// publish. One thread.
#ifndef TIDEGATE_INGEST_LOOP_FOLD_LOOP_H_
#define TIDEGATE_INGEST_LOOP_FOLD_LOOP_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "ingest/loop/spill_files.h"
#include "ingest/loop/watermark.h"
#include "ingest/record.h"
#include "ingest/registry/writer_decoders.h"
#include "views/pipeline/pipeline.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

// A turn's records; their dead letters must fit the writer's queue.
inline constexpr int kMaxPollRecords = kMaxPendingDeadLetters;

inline constexpr size_t kDefaultReorderBufferBytes = 64u << 20;

// Where a mutant steps in; the product uses the defaults. For tests that prove
// that the tests can fail.
struct FoldLoopPolicy {
  bool fold_again = false;          // what is read again is folded again
  bool release_inclusive = false;   // <= for < at the watermark
  bool forget_replay_from = false;  // what was buffered is not read again
  bool decide_again = false;        // verdicts are taken again on replay
  bool advance_first = false;       // windows close before records are released
  bool advance_in_poll = false;     // the watermark moves within a poll
  bool commit_unacknowledged = false;  // dead letters are not waited for
  bool pass_waiting = false;  // records without a schema are skipped over
  WatermarkPolicy watermark;
};

struct FoldLoopOptions {
  int max_poll_records = 1000;  // at most kMaxPollRecords
  int poll_timeout_ms = 100;
  int64_t metadata_interval_ms = 30'000;  // new partitions are looked for
  int64_t report_offsets_interval_ms = 5'000;
  // Where retention removed records that were still to be read, go on at the
  // log's start instead of refusing.
  bool accept_truncated_history = false;
  // What the reorder buffer holds in memory before partitions ahead of the
  // watermark are left unread, and the one that holds it is spilled to disk.
  size_t reorder_buffer_bytes = kDefaultReorderBufferBytes;
  // How often a watermark that moved is committed although no row changed.
  int64_t watermark_commit_interval_ms = 1'000;
  // While polls bring as many records as they may, so that more are waiting,
  // commits grow for up to so long (or to their limits): whoever is behind is
  // there sooner if a key that changes often changes once. 0: every poll is
  // committed.
  int64_t max_commit_hold_ms = 100;
  // How often a build commits, however little has changed.
  int64_t build_commit_interval_ms = 10'000;
  FoldLoopPolicy policy;
};

// How far one partition is behind the end last seen.
struct PartitionLag {
  std::string topic;
  PartitionId partition;
  int64_t records = 0;
  int64_t last_timestamp_ms = 0;  // of the last record consumed; 0: none
};

// Counters; written by the fold thread, read by any.
struct FoldLoopStats {
  std::atomic<int64_t> records{0};
  std::atomic<int64_t> bytes{0};
  std::atomic<int64_t> bad_records{0};
  // Outputs that read NULL because their expression failed.
  std::atomic<int64_t> output_errors{0};
  std::atomic<int64_t> diverted{0};
  std::atomic<int64_t> commits{0};
  std::atomic<int64_t> changes{0};
  std::atomic<int64_t> lag_records{0};      // behind the ends last seen
  std::atomic<int64_t> buffered_events{0};  // in the reorder buffer
  std::atomic<int64_t> buffered_bytes{0};   // of them in memory
  std::atomic<int64_t> spilled_bytes{0};    // of them on disk
  std::atomic<int64_t> late_table_rows{0};
  std::atomic<int64_t> building{0};  // 1 while MaterializedStore::building()
  // Read, and not taken before their schema comes.
  std::atomic<int64_t> awaiting_schema_records{0};
  std::atomic<int64_t> awaiting_schema_partitions{0};
};

// Events diverted for one view since the start; `view` is empty where it was
// for all that read the source.
struct DivertedCount {
  std::string source;
  std::string view;
  DivertReason reason = DivertReason::kUndecodable;
  int64_t events = 0;
};

// Everything is borrowed and must outlive the loop.
class FoldLoop {
 public:
  struct Parts {
    const PlanSet* plans = nullptr;
    std::string base_dir;  // of relative .proto paths
    Pipeline* pipeline = nullptr;
    MaterializedStore* store = nullptr;
    RecordReader* reader = nullptr;  // topic i is inputs()[i]'s topic
    DeadLetterWriter* dead_letters = nullptr;
    SpillFiles* spill = nullptr;  // null: a full reorder buffer is an error
    SchemaRegistries* registries = nullptr;  // null: no source may need one
    ServedPipeline* served = nullptr;  // told status and commits; may be null
    const Clock* clock = nullptr;
  };
  // InvalidArgument if a decoder cannot be made, or two sources of the pipeline
  // read one topic (positions are kept by topic).
  static absl::StatusOr<std::unique_ptr<FoldLoop>> Create(
      Parts parts, FoldLoopOptions options);
  virtual ~FoldLoop() = default;

  // Before the first turn: checks every stored position against the broker
  // (same record still there, not below the log's start, not above its end),
  // then starts reading. FailedPrecondition with instructions if a topic was
  // re-created or retention removed what was still to be read; NotFound if a
  // topic is missing; Unavailable if the broker does not answer: call again.
  virtual absl::Status Start() = 0;
  // One turn; true if records were taken. A status is fatal: the pipeline
  // stops with it. Tables are read to the ends captured at Start() before any
  // stream record is taken. While dead letters cannot be acknowledged or the
  // overlay is full, a turn takes nothing; it waits at most poll_timeout_ms.
  // While the store is building(), turns commit only now and then; the build
  // ends when the ends captured at Start() are reached, when somebody wants it
  // to, or with an event whose verdict the clock decides. A record whose schema
  // is not here yet waits, and its partition with it; the others go on.
  virtual absl::StatusOr<bool> Turn() = 0;
  // Start and turns until Stop() (from any thread; also wakes the reader) or a
  // fatal status, which is set on `served` and returned.
  virtual absl::Status Run() = 0;
  virtual void Stop() = 0;
  // Every record below the ends captured at Start() has been committed; from
  // any thread.
  virtual bool CaughtUp() const = 0;
  virtual const FoldLoopStats& stats() const = 0;
  // By topic, then partition, as of the last turn; from any thread.
  virtual std::vector<PartitionLag> Lag() const = 0;
  // In no order; from any thread.
  virtual std::vector<DivertedCount> DivertedEvents() const = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_FOLD_LOOP_H_
