// When each order was produced and when each side had it.
#ifndef TIDEGATE_LOADTEST_BENCH_STAMPS_H_
#define TIDEGATE_LOADTEST_BENCH_STAMPS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace tidegate {

// A time for each order, in microseconds; 0 until it is set. Thread-safe, if no
// two threads set one order.
class Stamps {
 public:
  explicit Stamps(int64_t orders) : times_(static_cast<size_t>(orders)) {}
  void Set(int64_t order, int64_t us) { times_[Index(order)].store(us); }
  void SetNow(int64_t order) { Set(order, Clock::System()->Now().value()); }
  int64_t Get(int64_t order) const { return times_[Index(order)].load(); }
  int64_t size() const { return static_cast<int64_t>(times_.size()); }

 private:
  static size_t Index(int64_t order) { return static_cast<size_t>(order); }
  std::vector<std::atomic<int64_t>> times_;
};

// Milliseconds from one to the other, of those from `first` on that have both.
inline std::vector<double> Latencies(const Stamps& from, const Stamps& to,
                                     int64_t first) {
  std::vector<double> result;
  for (int64_t i = first; i < to.size(); ++i) {
    if (from.Get(i) == 0 || to.Get(i) == 0) continue;
    result.push_back(static_cast<double>(to.Get(i) - from.Get(i)) / 1000);
  }
  return result;
}

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_STAMPS_H_
