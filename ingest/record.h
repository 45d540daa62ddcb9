// A Kafka record as the fold loop sees it, and the seams to Kafka: a reader of
// partitions and a writer of dead letters. The Kafka shells implement them, and
// the simulation does.
#ifndef TIDEGATE_INGEST_RECORD_H_
#define TIDEGATE_INGEST_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "views/store/position.h"

namespace tidegate {

// Names and values, in their order; a name may come more than once, and a value
// may be null.
using RecordHeaders =
    std::vector<std::pair<std::string, std::optional<std::string>>>;

// The headers of a record, looked up where they lie. Borrowed, as the record
// is.
class HeaderView {
 public:
  using Value = std::optional<absl::string_view>;
  using Sink = absl::FunctionRef<void(absl::string_view name, Value value)>;
  // How to read a list of headers, of whoever has it.
  struct Access {
    // False if there is no header of the name; else its last one.
    bool (*last)(const void* list, const std::string& name, Value* value);
    void (*each)(const void* list, Sink sink);
  };
  HeaderView() = default;  // none
  // Borrows both; a null list is none.
  HeaderView(const void* list, const Access* access)
      : list_(list), access_(access) {}

  bool empty() const { return list_ == nullptr; }
  bool Last(const std::string& name, Value* value) const {
    return list_ != nullptr && access_->last(list_, name, value);
  }
  void ForEach(Sink sink) const {
    if (list_ != nullptr) access_->each(list_, sink);
  }

 private:
  const void* list_ = nullptr;
  const Access* access_ = nullptr;
};

// Borrows `headers`.
HeaderView ViewOf(const RecordHeaders& headers);
RecordHeaders CopyOf(const HeaderView& headers);

// Borrowed from the reader until the next Poll.
struct RawRecord {
  int topic = 0;  // index into the reader's topics
  PartitionId partition;
  Offset offset;
  int64_t timestamp_ms = 0;
  bool has_key = false;
  absl::string_view key;
  bool has_value = false;
  absl::string_view value;
  // Set on a record that `tidegate replay` sent back, which has both headers:
  // the texts of kReplayViewsHeader and kReplayOriginHeader.
  bool is_replay = false;
  absl::string_view replay_views;
  absl::string_view replay_origin;
  // All of them, those two too.
  HeaderView headers;
};

// Of a dead letter and, for the first, of a record that is sent back: which
// views it is for, as "v1,v2@START/START" (see FormatReplayTarget).
inline constexpr char kReplayViewsHeader[] = "tidegate.replay.views";
// Of a record that was sent back, where it stood first:
// "topic/partition/offset". A dead letter does not have it, lest a source over
// a dead-letter topic be taken for one of records that were sent back.
inline constexpr char kReplayOriginHeader[] = "tidegate.replay.origin";
// How the names of our own headers begin.
inline constexpr char kOwnHeaderPrefix[] = "tidegate.";

// Where a record stood first; its own place if it was not sent back.
// InvalidArgument if the text of kReplayOriginHeader cannot be read.
struct RecordPlace {
  PartitionId partition;
  Offset offset;
};
absl::StatusOr<RecordPlace> FirstPlace(const RawRecord& record);

// Fnv1a64 over what identifies a record's content, for PartitionPosition.
uint64_t RecordHash(const RawRecord& record);

// One partition as the reader finds it at the start.
struct PartitionBounds {
  PartitionId partition;
  Offset low;   // the log's start
  Offset high;  // one past the last record
};

// Reads whole topics; assigns itself every partition at given positions and
// never joins a group. Runs on the fold thread, except Wake().
class RecordReader {
 public:
  using Wanted = absl::FunctionRef<bool(int topic, PartitionId partition)>;
  virtual ~RecordReader() = default;

  // The partitions of topic number `topic`, from the broker. NotFound if there
  // is no such topic; Unavailable if the broker does not answer.
  virtual absl::StatusOr<std::vector<PartitionBounds>> Bounds(int topic) = 0;
  // Reads the single record at or after `offset` (the record's own offset tells
  // which; nullopt if there is none below the end captured now), apart from the
  // assignment. For the check that a topic is still the same.
  struct Probe {
    Offset offset;
    int64_t timestamp_ms = 0;
    uint64_t hash = 0;
  };
  virtual absl::StatusOr<std::optional<Probe>> ProbeAt(int topic,
                                                       PartitionId partition,
                                                       Offset offset) = 0;
  // True if the topic is compacted (cleanup.policy contains "compact").
  virtual absl::StatusOr<bool> IsCompacted(int topic) = 0;

  // Starts reading a partition at `offset`, in addition to what is read.
  virtual absl::Status Start(int topic, PartitionId partition,
                             Offset offset) = 0;
  // Hands over what is ready, at most `max_records`, at most `timeout_ms`
  // waiting for the first; in offset order per partition. Only partitions for
  // which `wanted` is true are taken (it is asked before each batch); the
  // others' records wait in their own queues. Returns how many. OutOfRange if
  // an offset that is to be read is gone (retention), NotFound if a topic or
  // partition is gone: fatal, with topic, partition and offset in the message.
  // Passing trouble (broker away) is not an error here: it is counted and
  // logged.
  virtual absl::StatusOr<int> Poll(
      Wanted wanted, int max_records, int timeout_ms,
      absl::FunctionRef<void(const RawRecord&)> sink) = 0;
  // The end of a partition was reached: everything below `high` as known to
  // the reader has been handed over.
  virtual bool AtEnd(int topic, PartitionId partition) const = 0;
  // The partition's leader is up and has answered within a bounded time: so
  // AtEnd() says something of the present. Never true by silence.
  virtual bool Answering(int topic, PartitionId partition) const = 0;
  // Ends a Poll that waits; from any thread.
  virtual void Wake() = 0;
  // Reports positions to the consumer group, for lag tools only; best effort.
  virtual void ReportOffsets(const Positions& positions) = 0;
};

// Why a record went to a dead-letter topic; becomes headers.
struct DeadLetter {
  std::string topic;  // the dead-letter topic
  std::string source_topic;
  PartitionId partition;
  Offset offset;
  int64_t timestamp_ms = 0;
  std::string reason;              // a DivertReasonName()
  std::string detail;              // the message
  std::vector<std::string> views;  // empty: all that read the source
  std::string replay_views;        // as in kReplayViewsHeader; empty: all
  // The record had been sent back: RawRecord::replay_origin. Else empty.
  std::string replay_origin;
  // Of the pipeline when the verdict was taken; kNoEventTime: it had none.
  EventTime watermark = kNoEventTime;
  std::string pipeline;
  std::optional<std::string> key;  // whole, as it came
  std::optional<std::string> value;
  RecordHeaders headers;  // but those of replays
};

// Runs on the fold thread.
class DeadLetterWriter {
 public:
  virtual ~DeadLetterWriter() = default;
  // Hands a letter over; at most kMaxPendingDeadLetters wait.
  virtual absl::Status Write(DeadLetter letter) = 0;
  // Returns when the broker has acknowledged everything handed over: before
  // the commit that passes the records. Unavailable after `timeout_ms`; then
  // calling again goes on waiting.
  virtual absl::Status Flush(int timeout_ms) = 0;
};
inline constexpr int kMaxPendingDeadLetters = 10'000;

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_RECORD_H_
