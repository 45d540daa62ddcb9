#include "loadtest/bench/report.h"

#include <gmock/gmock.h>
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
            R"("goal":null,"met":null,)"
            R"("samples":{"ours":[4,100,6],"against":[3,2,1]}})");
}

TEST(ReportTest, AGoalIsMetUpToItsBound) {
  BenchEntry entry{.name = "x",
                   .unit = "us",
                   .against = "bare",
                   .goal = BenchGoal{.bound = 2},
                   .ours_samples = {4},
                   .against_samples = {2}};
  EXPECT_EQ(entry.met(), true);
  EXPECT_THAT(ToJsonLine(entry),
              testing::HasSubstr(R"("goal":"<= 2","met":true,)"));
  entry.ours_samples = {4.5};
  EXPECT_EQ(entry.met(), false);
  entry.goal = BenchGoal{BenchGoal::Kind::kAtLeast, 2.25};
  EXPECT_EQ(entry.met(), true);
  EXPECT_THAT(ToText(entry), testing::EndsWith("goal >= 2.25, met"));
  entry.goal->bound = 2.3;
  EXPECT_THAT(ToJsonLine(entry),
              testing::HasSubstr(R"("goal":">= 2.3","met":false,)"));
}

TEST(ReportTest, PairedSidesAreComparedRoundByRound) {
  BenchEntry entry = LatencyEntry("x", 1);
  // One round in which both sides waited for something.
  entry.ours_samples = {3, 103, 4};
  entry.against_samples = {2, 100, 3.5};
  EXPECT_EQ(entry.result(), 1);  // the medians differ by 0.5
  EXPECT_EQ(entry.met(), true);
}

TEST(ReportTest, ARoundAddsItsPercentilesToBothSides) {
  BenchEntry p50 = LatencyEntry("x.p50", 1);
  BenchEntry p99 = LatencyEntry("x.p99", 3);
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
