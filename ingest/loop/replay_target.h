// Whom a record that was diverted is for, as the text of a header.
#ifndef TIDEGATE_INGEST_LOOP_REPLAY_TARGET_H_
#define TIDEGATE_INGEST_LOOP_REPLAY_TARGET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "views/fold/event.h"
#include "views/pipeline/pipeline.h"

namespace tidegate {

// "v1,v2@1700000000000000/1700000060000000": views by name, each with the
// starts of its windows in microseconds where the event was late for some.
std::string FormatReplayTarget(const std::vector<Diverted>& diverted);
// InvalidArgument if the text is no such list.
absl::StatusOr<ReplayTarget> ParseReplayTarget(absl::string_view text);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_REPLAY_TARGET_H_
