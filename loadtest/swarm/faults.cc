#include "loadtest/swarm/faults.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"

namespace tidegate::swarm {

absl::StatusOr<FaultPlan> PlanFaults(const FaultOptions& options,
                                     size_t streams, uint64_t seed) {
  if (options.stall_streams + options.disconnect_streams > streams) {
    return absl::InvalidArgumentError(
        absl::StrCat("more streams to stall and to disconnect than there are: ",
                     options.stall_streams, " and ", options.disconnect_streams,
                     " of ", streams));
  }
  if (options.disconnect_streams > 0 && options.disconnect_every_us <= 0) {
    return absl::InvalidArgumentError("no interval between disconnects");
  }
  std::mt19937_64 random(seed);
  std::vector<size_t> order(streams);
  std::iota(order.begin(), order.end(), size_t{0});
  std::shuffle(order.begin(), order.end(), random);
  FaultPlan plan;
  plan.chosen.resize(streams);
  size_t next = 0;
  for (; next < options.stall_streams; ++next) {
    plan.chosen[order[next]] = true;
    plan.faults.push_back(
        {options.stall_after_us, FaultKind::kStall, order[next]});
    plan.faults.push_back({options.stall_after_us + options.stall_for_us,
                           FaultKind::kResumeReading, order[next]});
  }
  std::exponential_distribution<double> interval(
      1 /
      static_cast<double>(std::max<int64_t>(options.disconnect_every_us, 1)));
  std::uniform_int_distribution<int64_t> pause(0, options.pause_us);
  const size_t end = next + options.disconnect_streams;
  for (; next < end; ++next) {
    plan.chosen[order[next]] = true;
    int64_t at = 0;
    while (true) {
      at += static_cast<int64_t>(interval(random));
      if (at >= options.disconnect_for_us) break;
      const int64_t away = pause(random);
      plan.faults.push_back({options.disconnect_after_us + at,
                             FaultKind::kDisconnect, order[next], away});
      at += away;
    }
  }
  if (options.storm_at_us >= 0) {
    plan.faults.push_back({options.storm_at_us, FaultKind::kStorm});
  }
  std::stable_sort(
      plan.faults.begin(), plan.faults.end(),
      [](const Fault& a, const Fault& b) { return a.at_us < b.at_us; });
  return plan;
}

}  // namespace tidegate::swarm
