#include "loadtest/swarm/burst_tracker.h"

#include <gtest/gtest.h>

namespace tidegate::swarm {
namespace {

TEST(BurstTrackerTest, TimesTheLastOfAll) {
  BurstTracker tracker(3);
  tracker.Add(1'000, 1'010);
  tracker.Add(2'000, 2'005);
  tracker.Add(1'000, 1'020);
  EXPECT_EQ(tracker.last().count(), 0);
  tracker.Add(1'000, 1'060);
  EXPECT_EQ(tracker.last().count(), 1);
  EXPECT_EQ(tracker.last().max(), 60);
}

TEST(BurstTrackerTest, WhatNotAllGetIsNotTimed) {
  BurstTracker tracker(2);
  const auto bursts = static_cast<int64_t>(BurstTracker::kMaxOpen) + 1;
  for (int64_t i = 0; i < bursts; ++i) tracker.Add(i, i + 5);
  tracker.Add(0, 6);  // given up
  EXPECT_EQ(tracker.last().count(), 0);
  tracker.Add(2, 9);
  EXPECT_EQ(tracker.last().count(), 1);
  EXPECT_EQ(tracker.last().max(), 7);
}

TEST(BurstTrackerTest, OneStreamIsTheLast) {
  BurstTracker tracker(1);
  tracker.Add(10, 12);
  EXPECT_EQ(tracker.last().max(), 2);
}

}  // namespace
}  // namespace tidegate::swarm
