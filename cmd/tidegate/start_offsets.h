// Where a build began to read each partition: kept in its store, so that a
// rebuild can tell whether the topic still reaches back as far.
#ifndef TIDEGATE_CMD_TIDEGATE_START_OFFSETS_H_
#define TIDEGATE_CMD_TIDEGATE_START_OFFSETS_H_

#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace tidegate {

// By topic, then partition.
using StartOffsets = std::map<std::pair<std::string, PartitionId>, Offset>;

std::string EncodeStartOffsets(const StartOffsets& offsets);
absl::StatusOr<StartOffsets> DecodeStartOffsets(absl::string_view bytes);

// OK if `now` reaches back at least as far as `before` on every partition that
// is in both. FailedPrecondition names the first that does not, and the way
// out.
absl::Status CheckReachesBack(const StartOffsets& before,
                              const StartOffsets& now);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_START_OFFSETS_H_
