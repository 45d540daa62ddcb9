// Which streams are made to stall or to disconnect, and when. Pure: the same
// options and seed give the same faults.
#ifndef TIDEGATE_LOADTEST_SWARM_FAULTS_H_
#define TIDEGATE_LOADTEST_SWARM_FAULTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace tidegate::swarm {

// Times in microseconds, `at` and `after` from when every stream is live.
struct FaultOptions {
  size_t stall_streams = 0;
  int64_t stall_after_us = 0;
  int64_t stall_for_us = 0;
  size_t disconnect_streams = 0;
  int64_t disconnect_after_us = 0;
  int64_t disconnect_for_us = 0;
  // Each disconnects at random intervals of this mean, and comes back after a
  // pause of up to pause_us.
  int64_t disconnect_every_us = 10'000'000;
  int64_t pause_us = 1'000'000;
  // All streams disconnect and come back at once; negative: they do not.
  int64_t storm_at_us = -1;
};

enum class FaultKind : uint8_t { kStall, kResumeReading, kDisconnect, kStorm };

struct Fault {
  int64_t at_us = 0;
  FaultKind kind = FaultKind::kStall;
  size_t stream = 0;  // not of kStorm
  int64_t pause_us = 0;
};

struct FaultPlan {
  std::vector<Fault> faults;  // by time
  // By stream: chosen to stall or to disconnect. A storm chooses nobody.
  std::vector<bool> chosen;
};

// No stream both stalls and disconnects: InvalidArgument if there are too few.
absl::StatusOr<FaultPlan> PlanFaults(const FaultOptions& options,
                                     size_t streams, uint64_t seed);

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_FAULTS_H_
