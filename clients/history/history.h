// A recorded history: what one subscriber saw, line by line, as
// `tidegate watch --format json` prints it. Pure.
#ifndef TIDEGATE_CLIENTS_HISTORY_HISTORY_H_
#define TIDEGATE_CLIENTS_HISTORY_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

inline constexpr size_t kMaxHistoryLineBytes = 128u << 20;

struct HistoryRange {
  uint32_t partition = 0;
  uint64_t from = 0;  // exclusive
  uint64_t to = 0;    // inclusive
};

struct HistoryPosition {
  std::string incarnation;
  std::map<uint32_t, uint64_t> seqs;  // by log partition
  friend bool operator==(const HistoryPosition&,
                         const HistoryPosition&) = default;
};

// What a line says of its row; kNone where it says nothing.
enum class RowFinality : uint8_t { kNone, kProvisional, kFinal, kCorrected };

// One line. Which members mean something depends on the kind.
struct HistoryEvent {
  enum class Kind {
    kConnect,      // a stream's first response arrived
    kUpsert,       // key, row, finality
    kDeleted,      // key
    kLeft,         // key
    kSnapshotEnd,  // position, token
    kProgress,     // ranges, position, token: ends a batch of changes
    kReset,        // cause, detail
    kDrain,        // token
    kError,        // detail: the client itself found a broken promise
  };
  Kind kind = Kind::kProgress;
  int line = 0;
  // What is subscribed to: the view, and which rows if not all. Connect only.
  std::string subject;
  bool keyed = false;  // connect: of single keys
  // Connect: the token resumed from, empty for a fresh start. Else: the token
  // that stands for everything up to here; empty if there was none.
  std::string token;
  std::string key;  // canonical JSON text
  std::string row;
  RowFinality finality = RowFinality::kNone;
  std::optional<HistoryPosition> position;
  std::vector<HistoryRange> ranges;
  std::optional<int64_t> watermark_us;
  std::string cause;
  std::string detail;
  // Progress within a snapshot: a chunk is complete, `token` resumes after it.
  bool in_snapshot = false;
};

// Reads one line; `number` counts from 1 and is kept in the event.
// InvalidArgument says what is wrong with the line.
absl::StatusOr<HistoryEvent> ParseHistoryLine(absl::string_view line,
                                              int number);

// Reads a line of `scan --format json`: key and row as canonical JSON text.
absl::StatusOr<std::pair<std::string, std::string>> ParseRowLine(
    absl::string_view line);

}  // namespace tidegate

#endif  // TIDEGATE_CLIENTS_HISTORY_HISTORY_H_
