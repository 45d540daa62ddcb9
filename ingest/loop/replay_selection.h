// Which dead letters `tidegate replay` sends back, and as what. Pure.
#ifndef TIDEGATE_INGEST_LOOP_REPLAY_SELECTION_H_
#define TIDEGATE_INGEST_LOOP_REPLAY_SELECTION_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "ingest/record.h"

namespace tidegate {

// Every condition holds; an empty one always does.
struct ReplayFilter {
  std::vector<std::string> views;
  std::vector<std::string> reasons;
  std::string origin_topic;
  // Of the record's timestamp, in [since, until).
  std::optional<int64_t> since_ms;
  std::optional<int64_t> until_ms;
  // Where the letter itself stands, in [from, to).
  std::optional<PartitionId> partition;
  std::optional<Offset> from_offset;
  std::optional<Offset> to_offset;
};

// A record on its way back: key, value and timestamp are the letter's.
struct ReplayRecord {
  std::string topic;
  PartitionId partition;
  std::string views;   // kReplayViewsHeader; empty: every view of the source
  std::string origin;  // kReplayOriginHeader
};

// What Take remembers, to know a letter that is there twice.
inline constexpr size_t kMaxReplayLetters = 1'000'000;

// Thread-compatible. Letters are written at least once; of those with the same
// origin, reason and views the first counts, and that is the one that stands
// where the filter asks for: so a selection that goes on behind an offset sends
// nothing again of what stood before it.
class ReplaySelection {
 public:
  explicit ReplaySelection(ReplayFilter filter) : filter_(std::move(filter)) {}

  // The letters of a dead-letter topic, from its start, `letter` standing at
  // `partition` and `offset`. Nullopt: not selected, or there before.
  // InvalidArgument: it cannot be sent back. ResourceExhausted: more than
  // kMaxReplayLetters.
  absl::StatusOr<std::optional<ReplayRecord>> Take(const DeadLetter& letter,
                                                   PartitionId partition,
                                                   Offset offset);

  int64_t duplicates() const { return duplicates_; }
  // Named by the letters that were taken, selected or not.
  const std::set<std::string>& views_seen() const { return views_seen_; }

 private:
  // Of the letter's views those that are asked for, as kReplayViewsHeader;
  // nullopt: none.
  absl::StatusOr<std::optional<std::string>> Narrow(const DeadLetter& letter);

  const ReplayFilter filter_;
  absl::flat_hash_set<std::string> seen_;
  std::set<std::string> views_seen_;
  int64_t duplicates_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_REPLAY_SELECTION_H_
