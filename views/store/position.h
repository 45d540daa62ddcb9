// How far a pipeline has read its topics: part of every commit.
#ifndef TIDEGATE_VIEWS_STORE_POSITION_H_
#define TIDEGATE_VIEWS_STORE_POSITION_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace tidegate {

// One partition's place. Everything below `next_offset` has been folded or
// diverted; at a start, reading resumes at `replay_from` (<= next_offset; they
// are equal as long as nothing waits in a reorder buffer).
struct PartitionPosition {
  Offset next_offset;
  Offset replay_from;
  // The last record consumed, read again at a start to notice a topic that was
  // deleted and made again. last_offset is -1 before the first record.
  Offset last_offset{-1};
  int64_t last_timestamp_ms = 0;
  uint64_t last_hash = 0;  // Fnv1a64 of key, then value, lengths included
  // The greatest event time seen; kNoEventTime before the first.
  EventTime max_event_time = kNoEventTime;
  // Offsets in [replay_from, next_offset) that were diverted as future-dated,
  // as [first, end) runs: by the time they are read again the clock may have
  // reached them, but a verdict is taken once.
  std::vector<std::pair<Offset, Offset>> diverted;
  friend bool operator==(const PartitionPosition&,
                         const PartitionPosition&) = default;
};

struct Positions {
  // By topic, then partition.
  std::map<std::pair<std::string, PartitionId>, PartitionPosition> partitions;
  // The pipeline's watermark; kNoEventTime while it has none.
  EventTime watermark = kNoEventTime;
  // Tables have been read to the end captured at the pipeline's first start.
  bool tables_ready = false;
  friend bool operator==(const Positions&, const Positions&) = default;
};

// Deterministic bytes, with a version; DataLoss if malformed or newer.
void EncodePositions(const Positions& positions, std::string* out);
absl::StatusOr<Positions> DecodePositions(absl::string_view bytes);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_POSITION_H_
