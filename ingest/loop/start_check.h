// Where to begin reading a topic, after making sure that it is still the topic
// the stored positions were taken in. DESIGN §4 "Positions".
#ifndef TIDEGATE_INGEST_LOOP_START_CHECK_H_
#define TIDEGATE_INGEST_LOOP_START_CHECK_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ingest/record.h"

namespace tidegate {

struct StartCheckOptions {
  std::string rebuild;  // "--rebuild VIEW", as instructions show it
  bool accept_truncated_history = false;
};

struct StartPoint {
  PartitionId partition;
  Offset offset;  // where reading begins
  Offset end;     // one past the last record there is now
};

// The partitions of topic number `topic`, named `name`, from 0 upwards.
// NotFound if there is no such topic; Unavailable if the broker does not
// answer; FailedPrecondition with instructions if the topic was re-created
// since `stored`, or has lost records that were still to be read. Starts
// nothing.
absl::StatusOr<std::vector<StartPoint>> FindStartPoints(
    RecordReader* reader, int topic, const std::string& name,
    const Positions& stored, const StartCheckOptions& options);

// The partitions of a topic by number, from 0 upwards without a gap.
absl::StatusOr<std::vector<PartitionBounds>> OrderedBounds(
    RecordReader* reader, int topic, const std::string& name);

// FailedPrecondition: the topic is not the one that was read, with the way out.
absl::Status Recreated(absl::string_view topic, PartitionId partition,
                       absl::string_view evidence, absl::string_view rebuild);
// FailedPrecondition: retention removed records that were still to be read.
absl::Status Truncated(absl::string_view what, absl::string_view rebuild);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_START_CHECK_H_
