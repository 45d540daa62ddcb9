#include "cmd/tidegate/demo/latency.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

TEST(LatencyTest, EmptyIsZero) {
  EXPECT_EQ(LatencyCounts().Percentile(0.5), 0);
}

TEST(LatencyTest, SmallValuesAreExact) {
  LatencyCounts counts;
  for (int micros = 1; micros <= 100; ++micros) counts.Add(micros);
  EXPECT_EQ(counts.count(), 100);
  EXPECT_EQ(counts.Percentile(0.5), 50);
  EXPECT_EQ(counts.Percentile(0.99), 99);
  EXPECT_EQ(counts.Percentile(1), 100);
}

TEST(LatencyTest, LargeValuesAreWithinOnePercent) {
  for (int64_t micros = 1; micros < int64_t{1} << 50; micros = micros * 3 + 1) {
    LatencyCounts counts;
    counts.Add(micros);
    EXPECT_LE(counts.Percentile(0.5), micros);
    EXPECT_GE(counts.Percentile(0.5), micros - micros / 100);
  }
}

TEST(LatencyTest, ClockSkewCountsAsZero) {
  LatencyCounts counts;
  counts.Add(-5);
  EXPECT_EQ(counts.Percentile(0.5), 0);
  EXPECT_EQ(counts.count(), 1);
}

}  // namespace
}  // namespace tidegate
