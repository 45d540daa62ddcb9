// What the swarm asks the server before it subscribes: how keys are written and
// where the stamp is. Blocks.
#ifndef TIDEGATE_LOADTEST_SWARM_SETUP_H_
#define TIDEGATE_LOADTEST_SWARM_SETUP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "loadtest/swarm/stream_track.h"

namespace tidegate::swarm {

inline constexpr int64_t kMaxKeys = 10'000'000;

// "FIRST..LAST", both included, or the name of a file with a key a line, each
// as `tidegate get` takes it.
absl::StatusOr<std::vector<std::string>> ReadKeyTexts(const std::string& keys);

struct ViewSetup {
  std::vector<std::string> keys;  // <View>Key messages
  LatencySource latency;
  std::vector<uint32_t> key_fields;  // numbers of the key columns
};

// `latency` is "committed_at", "sent_at" or a column: BIGINT microseconds since
// 1970, or TIMESTAMPTZ.
absl::StatusOr<ViewSetup> DescribeView(const std::string& server,
                                       const std::string& view,
                                       const std::vector<std::string>& keys,
                                       const std::string& latency);

// How far the view is, in the log's partition 0.
absl::StatusOr<uint64_t> HeadOf(const std::string& server,
                                const std::string& view);

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_SETUP_H_
