// Latencies counted in buckets 1 % wide. Pure.
#ifndef TIDEGATE_CMD_TIDEGATE_DEMO_LATENCY_H_
#define TIDEGATE_CMD_TIDEGATE_DEMO_LATENCY_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace tidegate {

// Thread-compatible.
class LatencyCounts {
 public:
  void Add(int64_t micros);
  int64_t count() const { return count_; }
  // The value that `share` (0 to 1) of what was added does not exceed, to
  // within 1 %; 0 if nothing was added.
  int64_t Percentile(double share) const;

 private:
  static constexpr int kSubBits = 7;  // buckets per power of two, as bits
  static constexpr size_t kBuckets = static_cast<size_t>(64 - kSubBits)
                                     << kSubBits;
  static size_t BucketOf(uint64_t micros);
  static uint64_t LowerBound(size_t bucket);

  std::array<int64_t, kBuckets> buckets_{};
  int64_t count_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_DEMO_LATENCY_H_
