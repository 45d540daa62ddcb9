// How long an update that goes to everybody takes until the last one has it.
#ifndef TIDEGATE_LOADTEST_SWARM_BURST_TRACKER_H_
#define TIDEGATE_LOADTEST_SWARM_BURST_TRACKER_H_

#include <cstddef>
#include <cstdint>
#include <map>

#include "loadtest/swarm/histogram.h"

namespace tidegate::swarm {

// An update is known by its stamp. Thread-compatible.
class BurstTracker {
 public:
  // Updates under way beyond this: the oldest is given up.
  static constexpr size_t kMaxOpen = 1'000;

  explicit BurstTracker(size_t streams) : streams_(streams) {}
  // One of the streams has it; each says so once.
  void Add(int64_t stamp_us, int64_t now_us);
  // Of those that all have, from the stamp to the last.
  const Histogram& last() const { return last_; }

 private:
  const size_t streams_;
  std::map<int64_t, size_t> open_;  // stamp to how many have it
  Histogram last_;
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_BURST_TRACKER_H_
