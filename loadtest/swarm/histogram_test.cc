#include "loadtest/swarm/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace tidegate::swarm {
namespace {

TEST(HistogramTest, NothingAddedIsZero) {
  const Histogram none;
  EXPECT_EQ(none.count(), 0);
  EXPECT_EQ(none.Percentile(0.99), 0);
}

TEST(HistogramTest, IsWithinOnePercentOfTheSortedSamples) {
  constexpr uint32_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  Histogram histogram;
  std::vector<int64_t> samples;
  for (int i = 0; i < 20'000; ++i) {
    const auto sample = static_cast<int64_t>(random() >> (random() % 60 + 4));
    samples.push_back(sample);
    histogram.Add(sample);
  }
  std::sort(samples.begin(), samples.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<size_t>(
        std::ceil(share * static_cast<double>(samples.size())));
    const int64_t exact = samples[rank - 1];
    const int64_t got = histogram.Percentile(share);
    EXPECT_GE(got, exact) << share << " seed " << kSeed;
    EXPECT_LE(static_cast<double>(got), static_cast<double>(exact) * 1.01 + 1)
        << share << " seed " << kSeed;
  }
  EXPECT_EQ(histogram.max(), samples.back());
}

TEST(HistogramTest, MergesAndWeighs) {
  Histogram a;
  Histogram b;
  a.Add(10, 99);
  b.Add(5'000);
  b.Add(-3);
  a.Merge(b);
  EXPECT_EQ(a.count(), 101);
  EXPECT_EQ(a.Percentile(0.001), 0);
  EXPECT_EQ(a.Percentile(0.5), 10);
  EXPECT_EQ(a.Percentile(1), 5'000);
}

}  // namespace
}  // namespace tidegate::swarm
