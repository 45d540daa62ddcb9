// Latencies counted in buckets less than 1 % wide, that can be added up over
// threads. Pure.
#ifndef TIDEGATE_LOADTEST_SWARM_HISTOGRAM_H_
#define TIDEGATE_LOADTEST_SWARM_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidegate::swarm {

// Thread-compatible.
class Histogram {
 public:
  Histogram();
  // Negative values (clocks that disagree) count as 0.
  void Add(int64_t micros, int64_t count = 1);
  void Merge(const Histogram& other);

  int64_t count() const { return count_; }
  int64_t max() const { return max_; }
  // The value that `share` (0 to 1) of what was added does not exceed, at most
  // 1 % too high, by nearest rank; 0 if nothing was added.
  int64_t Percentile(double share) const;

 private:
  std::vector<int64_t> buckets_;
  int64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_HISTOGRAM_H_
