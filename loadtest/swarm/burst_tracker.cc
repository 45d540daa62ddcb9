#include "loadtest/swarm/burst_tracker.h"

namespace tidegate::swarm {

void BurstTracker::Add(int64_t stamp_us, int64_t now_us) {
  const auto it = open_.try_emplace(stamp_us, 0).first;
  if (++it->second == streams_) {
    last_.Add(now_us - stamp_us);
    open_.erase(it);
  } else if (open_.size() > kMaxOpen) {
    open_.erase(open_.begin());
  }
}

}  // namespace tidegate::swarm
