#include "loadtest/bench/report.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

TEST(ReportTest, PercentilesByNearestRank) {
  std::vector<double> samples = {5, 1, 4, 2, 3};
  EXPECT_EQ(Percentile(&samples, 50), 3);
  EXPECT_EQ(Percentile(&samples, 99), 5);
  EXPECT_EQ(Percentile(&samples, 1), 1);
  std::vector<double> none;
  EXPECT_EQ(Percentile(&none, 50), 0);
}

TEST(ReportTest, RatioAndDifferenceOfMedians) {
  BenchEntry entry{.name = "x",
                   .unit = "ms",
                   .against = "bare",
                   .ours_samples = {4, 100, 6},
                   .against_samples = {3, 2, 1}};
  EXPECT_EQ(entry.result(), 3);
  entry.is_ratio = false;
  EXPECT_EQ(entry.result(), 4);
  EXPECT_EQ(ToJsonLine(entry),
            R"({"name":"x","ours":6,"unit":"ms","against":"bare",)"
            R"("value_against":2,"kind":"difference","result":4,)"
            R"("samples":{"ours":[4,100,6],"against":[3,2,1]}})");
}

TEST(ReportTest, ARoundAddsItsPercentilesToBothSides) {
  BenchEntry p50 = LatencyEntry("x.p50");
  BenchEntry p99 = LatencyEntry("x.p99");
  std::vector<double> ours = {3, 1, 2};
  std::vector<double> bare = {1, 0.5, 0.25};
  AddRound(&ours, &bare, &p50, &p99);
  EXPECT_EQ(p50.ours_samples, std::vector<double>{2});
  EXPECT_EQ(p50.against_samples, std::vector<double>{0.5});
  EXPECT_EQ(p99.ours_samples, std::vector<double>{3});
  EXPECT_EQ(p99.against_samples, std::vector<double>{1});
  EXPECT_EQ(p50.result(), 1.5);
}

}  // namespace
}  // namespace tidegate
