// What a checkpoint says of the rows it comes with.
#ifndef TIDEGATE_VIEWS_STORE_CHECKPOINT_RECORD_H_
#define TIDEGATE_VIEWS_STORE_CHECKPOINT_RECORD_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "views/store/log_marks.h"
#include "views/store/position.h"

namespace tidegate {

using RowCounts = std::map<ViewId, uint64_t>;

struct CheckpointRecord {
  Seq seq;                  // the rows are as of this commit
  std::string incarnation;  // the start that wrote it
  Positions positions;
  RowCounts row_counts;  // rows that clients see
  // Commits up to this one are about to be trimmed from the log, or have been.
  Seq log_trimmed;
  LogMarks log_marks;  // of what is left, up to `seq`
};

// With a version and a checksum; DataLoss if malformed or newer.
std::string EncodeCheckpointRecord(const CheckpointRecord& record);
absl::StatusOr<CheckpointRecord> DecodeCheckpointRecord(
    absl::string_view bytes);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_CHECKPOINT_RECORD_H_
