#include "cmd/tidegate/demo/latency.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tidegate {

size_t LatencyCounts::BucketOf(uint64_t micros) {
  const int width = std::bit_width(micros);
  const int shift = std::max(0, width - kSubBits - 1);
  const size_t sub = static_cast<size_t>(micros >> shift);
  return std::min(kBuckets - 1, (static_cast<size_t>(shift) << kSubBits) + sub);
}

uint64_t LatencyCounts::LowerBound(size_t bucket) {
  if (bucket < (size_t{2} << kSubBits)) return bucket;
  const size_t shift = (bucket >> kSubBits) - 1;
  const uint64_t sub = bucket - (shift << kSubBits);
  return sub << shift;
}

void LatencyCounts::Add(int64_t micros) {
  ++buckets_[BucketOf(static_cast<uint64_t>(std::max<int64_t>(0, micros)))];
  ++count_;
}

int64_t LatencyCounts::Percentile(double share) const {
  const auto rank =
      static_cast<int64_t>(std::ceil(share * static_cast<double>(count_)));
  int64_t below = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    below += buckets_[bucket];
    if (below >= std::max<int64_t>(1, rank)) {
      return static_cast<int64_t>(LowerBound(bucket));
    }
  }
  return 0;
}

}  // namespace tidegate
