// Sends records back from a dead-letter topic to where they came from.
#ifndef TIDEGATE_CMD_TIDEGATE_REPLAY_H_
#define TIDEGATE_CMD_TIDEGATE_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ingest/kafka/kafka_config.h"
#include "ingest/loop/replay_selection.h"
#include "ingest/record.h"

namespace tidegate {

// At most so many letters wait for the broker at a time, of about so many
// bytes. After a failure nothing behind them is tried.
inline constexpr size_t kReplayBatchLetters = 500;
inline constexpr size_t kReplayBatchBytes = 64u << 20;

struct ReplayOptions {
  KafkaProperties kafka;
  std::string dead_letter_topic;
  ReplayFilter filter;
  bool dry_run = false;
  // Send to compacted topics too, where a record replaces newer ones.
  bool allow_compacted = false;
  int timeout_ms = 30'000;  // for each answer of the broker
};

struct ReplayedLetter {
  PartitionId partition;  // in the dead-letter topic
  Offset offset;
  DeadLetter letter;
  ReplayRecord record;
  // Acknowledged, or why not; nullopt: a dry run.
  std::optional<absl::Status> sent;

  size_t bytes() const {
    size_t size = letter.key.has_value() ? letter.key->size() : 0;
    if (letter.value.has_value()) size += letter.value->size();
    for (const auto& [name, value] : letter.headers) {
      size += name.size() + (value.has_value() ? value->size() : 0);
    }
    return size;
  }
};

struct ReplayReport {
  int64_t read = 0;
  int64_t foreign = 0;  // not dead letters
  int64_t refused = 0;  // dead letters that cannot be sent back
  int64_t duplicates = 0;
  int64_t selected = 0;
  int64_t acknowledged = 0;
  std::set<std::string> views_seen;  // named by letters, selected or not
  // Where to go on: the first that was not acknowledged, what behind it was
  // acknowledged all the same, and the partitions that were not come to.
  struct GoOn {
    PartitionId partition;
    Offset offset;
    std::vector<Offset> acknowledged;
    std::vector<PartitionId> later;
  };
  std::optional<GoOn> go_on;
};

// `on_letter` is told of each selected letter, in the order of the topic's
// partitions and offsets, once the broker has answered (a dry run: at once);
// `on_skipped` of what is not a letter (NotFound) or cannot be sent back
// (InvalidArgument). A status is a failure to read, or FailedPrecondition for a
// compacted topic; then nothing says what was sent but `on_letter`.
absl::StatusOr<ReplayReport> Replay(
    const ReplayOptions& options,
    absl::FunctionRef<void(const ReplayedLetter&)> on_letter,
    absl::FunctionRef<void(PartitionId, Offset, const absl::Status&)>
        on_skipped);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_REPLAY_H_
