#include "loadtest/swarm/faults.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace tidegate::swarm {
namespace {

constexpr uint64_t kSeed = 11;

TEST(FaultsTest, NoStreamBothStallsAndDisconnects) {
  FaultOptions options;
  options.stall_streams = 30;
  options.stall_after_us = 5'000'000;
  options.stall_for_us = 60'000'000;
  options.disconnect_streams = 20;
  options.disconnect_after_us = 5'000'000;
  options.disconnect_for_us = 60'000'000;
  options.disconnect_every_us = 10'000'000;
  const auto plan = PlanFaults(options, 100, kSeed);
  ASSERT_TRUE(plan.ok());
  std::map<size_t, int> stalls;
  std::map<size_t, int> disconnects;
  for (const Fault& fault : plan->faults) {
    EXPECT_TRUE(plan->chosen[fault.stream]);
    EXPECT_GE(fault.at_us, 5'000'000);
    EXPECT_LE(fault.at_us, 65'000'000);
    if (fault.kind == FaultKind::kStall) ++stalls[fault.stream];
    if (fault.kind == FaultKind::kDisconnect) ++disconnects[fault.stream];
    EXPECT_LE(fault.pause_us, options.pause_us);
  }
  EXPECT_EQ(stalls.size(), 30u);
  EXPECT_GT(disconnects.size(), 10u) << "seed " << kSeed;
  for (const auto& [stream, count] : stalls) {
    EXPECT_EQ(count, 1);
    EXPECT_EQ(disconnects.count(stream), 0u);
  }
  EXPECT_TRUE(std::is_sorted(
      plan->faults.begin(), plan->faults.end(),
      [](const Fault& a, const Fault& b) { return a.at_us < b.at_us; }));
  EXPECT_EQ(std::count(plan->chosen.begin(), plan->chosen.end(), true), 50);
}

TEST(FaultsTest, TheSameSeedGivesTheSameFaults) {
  FaultOptions options;
  options.disconnect_streams = 5;
  options.disconnect_for_us = 60'000'000;
  const auto one = PlanFaults(options, 10, kSeed);
  const auto two = PlanFaults(options, 10, kSeed);
  const auto other = PlanFaults(options, 10, kSeed + 1);
  ASSERT_TRUE(one.ok() && two.ok() && other.ok());
  EXPECT_EQ(one->chosen, two->chosen);
  ASSERT_EQ(one->faults.size(), two->faults.size());
  for (size_t i = 0; i < one->faults.size(); ++i) {
    EXPECT_EQ(one->faults[i].at_us, two->faults[i].at_us);
  }
  EXPECT_NE(one->chosen, other->chosen);
}

TEST(FaultsTest, RefusesMoreThanThereAre) {
  FaultOptions options;
  options.stall_streams = 6;
  options.disconnect_streams = 5;
  EXPECT_EQ(PlanFaults(options, 10, kSeed).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(FaultsTest, AStormChoosesNobody) {
  FaultOptions options;
  options.storm_at_us = 3;
  const auto plan = PlanFaults(options, 2, kSeed);
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->faults.size(), 1u);
  EXPECT_EQ(plan->faults[0].kind, FaultKind::kStorm);
  EXPECT_EQ(std::count(plan->chosen.begin(), plan->chosen.end(), true), 0);
}

}  // namespace
}  // namespace tidegate::swarm
