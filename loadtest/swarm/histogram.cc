#include "loadtest/swarm/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tidegate::swarm {
namespace {

constexpr int kSubBits = 7;  // buckets per power of two, as bits
constexpr uint64_t kSub = uint64_t{1} << kSubBits;
constexpr size_t kBuckets = static_cast<size_t>(64 - kSubBits) * kSub;

// Below kSub a bucket a value; above, kSub buckets to a power of two.
size_t BucketOf(uint64_t value) {
  if (value < kSub) return static_cast<size_t>(value);
  const int shift = std::bit_width(value) - 1 - kSubBits;
  return static_cast<size_t>(static_cast<uint64_t>(shift) * kSub +
                             (value >> shift));
}

// The largest value of a bucket.
uint64_t UpperBound(size_t bucket) {
  if (bucket < kSub) return bucket;
  const int shift = static_cast<int>(bucket / kSub) - 1;
  const uint64_t lead = bucket - static_cast<uint64_t>(shift) * kSub;
  return ((lead + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

void Histogram::Add(int64_t micros, int64_t count) {
  const int64_t value = std::max<int64_t>(micros, 0);
  buckets_[BucketOf(static_cast<uint64_t>(value))] += count;
  count_ += count;
  max_ = std::max(max_, value);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

int64_t Histogram::Percentile(double share) const {
  if (count_ == 0) return 0;
  const auto rank = std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(share * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) {
      return std::min(max_, static_cast<int64_t>(UpperBound(i)));
    }
  }
  return max_;
}

}  // namespace tidegate::swarm
