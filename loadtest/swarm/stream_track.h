// What the swarm checks and measures of one subscriber's stream: continuity,
// counts and latencies, by scanning SubscribeResponse on the wire. Pure.
#ifndef TIDEGATE_LOADTEST_SWARM_STREAM_TRACK_H_
#define TIDEGATE_LOADTEST_SWARM_STREAM_TRACK_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "loadtest/swarm/held_rows.h"

namespace tidegate::swarm {

// Where an update's latency is taken from.
struct LatencySource {
  enum class Kind : uint8_t {
    kCommitted,  // committed_at of its response
    kSent,       // sent_at of its response
    kColumn,     // a column of the row that the producer stamped
    kRows,       // whoever is handed Response::rows
  };
  Kind kind = Kind::kCommitted;
  uint32_t field = 0;         // kColumn: its number in <View>Row
  bool is_timestamp = false;  // else microseconds since 1970
  bool changes = false;       // Response::changes are wanted
};

// One response, as far as it concerns the swarm.
struct Response {
  void Clear();  // keeps memory

  size_t updates = 0;  // changes of a delta
  bool snapshot = false;
  size_t snapshot_rows = 0;
  bool live = false;  // the stream is past its snapshot
  bool reset = false;
  uint64_t reset_cause = 0;
  bool drain = false;
  int64_t retry_after_ms = 0;
  // Of kCommitted and kSent: when; 0 if absent. Of kColumn: stamps_us. Of
  // kRows: the rows of upserts, within the message.
  int64_t time_us = 0;
  std::vector<int64_t> stamps_us;
  std::vector<absl::string_view> rows;
  std::vector<RowChange> changes;  // if the source wants them
  size_t watch = 0;                // whose response it is; from 0
  // A session's watch has ended: a google.rpc.Code and why.
  bool failed = false;
  int failure_code = 0;
  absl::string_view failure;
};

// A Drain; false if it cannot be read.
bool ReadDrain(absl::string_view message, Response* response);

// Thread-compatible. Lives across the connections of one subscriber.
class StreamTrack {
 public:
  // A new stream was asked for with token().
  void BeginStream();
  // DataLoss if the response cannot be read or breaks a promise; the position
  // is then taken from it, so that a fault is reported once. `response` is
  // filled in either way; it is cleared first, and borrows from `message`.
  absl::Status Take(absl::string_view message, const LatencySource& source,
                    Response* response);

  // Where a new stream should resume; empty: from a snapshot.
  const std::string& token() const { return token_; }
  bool live() const { return phase_ == Phase::kLive; }
  // Its position in the log's partition 0; 0 within a snapshot.
  uint64_t position() const;

 private:
  enum class Phase : uint8_t { kSnapshot, kLive };
  struct Fields;
  // By log partition; few, so in no order.
  using Positions = std::vector<std::pair<uint32_t, uint64_t>>;

  absl::Status Judge(const Fields& fields, Response* response);
  absl::Status JudgeSnapshot(const Fields& fields);
  absl::Status JudgeDelta(const Fields& fields);
  absl::Status Advance(const Fields& fields);

  std::string token_;
  Positions position_;
  Phase phase_ = Phase::kSnapshot;
  bool in_fragment_ = false;
  int64_t watermark_us_ = std::numeric_limits<int64_t>::min();
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_STREAM_TRACK_H_
