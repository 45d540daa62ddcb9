// What `watch` is asked for: its words and flags, view by view. Pure.
#ifndef TIDEGATE_CMD_TIDEGATE_WATCH_SPEC_H_
#define TIDEGATE_CMD_TIDEGATE_WATCH_SPEC_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cmd/tidegate/flags.h"

namespace tidegate {

struct WatchSpec {
  std::string view;
  std::vector<std::string> keys;        // as typed
  std::vector<std::string> key_prefix;  // as typed; at most one
  std::string where;
  std::string resume_token;  // decoded
};

// One of each view, in their order. With several views, --key, --key-prefix,
// --where and --resume have the form VIEW:VALUE; InvalidArgument says so.
absl::StatusOr<std::vector<WatchSpec>> ParseWatchSpecs(
    const Arguments& arguments);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_WATCH_SPEC_H_
