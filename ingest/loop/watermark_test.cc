#include "ingest/loop/watermark.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr ProcessingTime kNow(1'000'000 * kSecond);

ProcessingTime Later(int64_t seconds) {
  return ProcessingTime(kNow.value() + seconds * kSecond);
}
EventTime At(int64_t seconds) { return EventTime(seconds * kSecond); }

// Partitions with a bound of 2 s that are idle after 5 s; times in seconds.
class WatermarkTest : public ::testing::Test {
 protected:
  size_t Add(EventTime max = kNoEventTime) {
    return tracker_.AddPartition(rules_, max);
  }
  void Busy(size_t partition, int64_t seconds) {
    tracker_.Look(partition, {.at_end = false, .answering = true},
                  Later(seconds));
  }
  void Quiet(size_t partition, int64_t seconds) {
    tracker_.Look(partition, {.at_end = true, .answering = true},
                  Later(seconds));
  }
  EventTime Current(int64_t seconds = 0) {
    return tracker_.Current(Later(seconds));
  }

  WatermarkTracker::SourceRules rules_{.bound_us = 2 * kSecond,
                                       .idle_timeout_us = 5 * kSecond,
                                       .max_future_skew_us = 60 * kSecond};
  WatermarkTracker tracker_{kNoEventTime};
};

TEST_F(WatermarkTest, IsTheLeastOverPartitionsOnceAllHaveReported) {
  const size_t a = Add();
  const size_t b = Add();
  EXPECT_EQ(Current(), kNoEventTime);
  tracker_.Observe(a, At(100));
  Busy(a, 0);
  Busy(b, 0);
  EXPECT_EQ(Current(), kNoEventTime);
  EXPECT_EQ(tracker_.State(b), PartitionState::kNoEvents);
  EXPECT_TRUE(tracker_.HoldsBack(b));
  tracker_.Observe(b, At(50));
  EXPECT_EQ(Current(), At(48));
  EXPECT_TRUE(tracker_.IsAhead(a));
  EXPECT_FALSE(tracker_.IsAhead(b));
  EXPECT_TRUE(tracker_.HoldsBack(b));
  EXPECT_FALSE(tracker_.HoldsBack(a));
  // What is older than what was seen moves nothing.
  tracker_.Observe(b, At(10));
  EXPECT_EQ(Current(), At(48));
  tracker_.Observe(b, At(200));
  EXPECT_EQ(Current(), At(98));
}

TEST_F(WatermarkTest, NeverMovesBackNotEvenForANewPartition) {
  const size_t a = Add();
  tracker_.Observe(a, At(100));
  Busy(a, 0);
  tracker_.Commit(Current());
  const size_t b = Add();
  Busy(b, 0);
  EXPECT_EQ(Current(), At(98));
  tracker_.Observe(a, At(500));
  EXPECT_EQ(Current(), At(98));  // waits for the new one
  tracker_.Observe(b, At(20));
  EXPECT_EQ(Current(), At(98));
  tracker_.Observe(b, At(300));
  EXPECT_EQ(Current(), At(298));
}

TEST_F(WatermarkTest, AnIdlePartitionHoldsNothingBack) {
  const size_t a = Add();
  const size_t b = Add();
  tracker_.Observe(a, At(100));
  tracker_.Observe(b, At(10));
  Busy(a, 0);
  Quiet(b, 0);
  Quiet(b, 4);
  EXPECT_EQ(Current(4), At(8));
  Quiet(b, 5);
  EXPECT_EQ(tracker_.State(b), PartitionState::kIdle);
  EXPECT_EQ(Current(5), At(98));
  EXPECT_FALSE(tracker_.HoldsBack(b));
  // A record wakes it; what it shows is behind, and moves nothing back.
  tracker_.Commit(Current(5));
  tracker_.Observe(b, At(20));
  tracker_.Look(b, {.took = true, .at_end = true, .answering = true}, Later(6));
  EXPECT_EQ(tracker_.State(b), PartitionState::kActive);
  EXPECT_EQ(Current(6), At(98));
  EXPECT_TRUE(tracker_.HoldsBack(b));
}

TEST_F(WatermarkTest, ASlowTrickleIsNotIdle) {
  const size_t a = Add();
  tracker_.Observe(a, At(0));
  for (int64_t second = 0; second < 30; second += 3) {
    tracker_.Look(a, {.took = true, .at_end = true, .answering = true},
                  Later(second));
    Quiet(a, second + 2);
    EXPECT_EQ(tracker_.State(a), PartitionState::kActive) << second;
  }
}

TEST_F(WatermarkTest, SilenceErrorsAndUnreadRecordsAreNeverIdle) {
  const size_t a = Add();
  const size_t b = Add();
  tracker_.Observe(a, At(100));
  tracker_.Observe(b, At(10));
  Busy(a, 0);
  const struct {
    PartitionLook look;
    PartitionState state;
  } cases[] = {
      {{.at_end = true, .answering = false}, PartitionState::kError},
      {{.at_end = false, .answering = true}, PartitionState::kActive},
      {{.at_end = true, .answering = true, .unread = true},
       PartitionState::kUnread},
      {{.at_end = true, .answering = true, .replaying = true},
       PartitionState::kReplaying},
      {{.at_end = true, .answering = true, .awaiting_schema = true},
       PartitionState::kAwaitingSchema},
  };
  for (const auto& c : cases) {
    for (int64_t second = 0; second < 100; second += 10) {
      tracker_.Look(b, c.look, Later(second));
    }
    EXPECT_EQ(tracker_.State(b), c.state);
    EXPECT_TRUE(tracker_.HoldsBack(b)) << PartitionStateName(c.state);
    EXPECT_LE(Current(100), At(8)) << PartitionStateName(c.state);
  }
  // An error in between starts the time anew.
  Quiet(b, 100);
  tracker_.Look(b, {.at_end = true, .answering = false}, Later(103));
  Quiet(b, 104);
  Quiet(b, 108);
  EXPECT_NE(tracker_.State(b), PartitionState::kIdle);
  Quiet(b, 109);
  EXPECT_EQ(tracker_.State(b), PartitionState::kIdle);
}

TEST_F(WatermarkTest, WhenAllAreIdleItMovesWithTheClock) {
  const size_t a = Add();
  const size_t b = Add();
  tracker_.Observe(a, At(100));
  tracker_.Observe(b, At(10));
  Quiet(a, 0);
  Quiet(b, 1);
  Quiet(a, 5);
  EXPECT_EQ(Current(5), At(8));
  Quiet(b, 6);
  EXPECT_EQ(Current(6), At(98));
  EXPECT_EQ(Current(16), At(108));
  tracker_.Commit(Current(16));
  // An event ends it.
  tracker_.Observe(a, At(105));
  Busy(a, 17);
  EXPECT_EQ(Current(17), At(108));
  tracker_.Observe(a, At(200));
  EXPECT_EQ(Current(17), At(198));
}

TEST_F(WatermarkTest, IdleTimeNeverPassesTheClockLessTheBound) {
  const size_t a = Add();
  const int64_t now_s = kNow.value() / kSecond;
  tracker_.Observe(a, At(now_s + 1));
  Quiet(a, 0);
  Quiet(a, 5);
  // It stands at now - 1 s, and the clock less the bound is now + 3 s.
  EXPECT_EQ(Current(5), At(now_s - 1));
  EXPECT_EQ(Current(6), At(now_s));
  EXPECT_EQ(Current(100), At(now_s + 94));
  EXPECT_LE(Current(100).value(), Later(100).value() - 2 * kSecond);
}

TEST_F(WatermarkTest, IdleAdvanceCanBeSwitchedOff) {
  const size_t a = Add();
  rules_.idle_advance = false;
  const size_t b = Add();
  tracker_.Observe(a, At(100));
  tracker_.Observe(b, At(10));
  for (const size_t p : {a, b}) {
    Quiet(p, 0);
    Quiet(p, 5);
  }
  EXPECT_EQ(Current(5), At(98));
  EXPECT_EQ(Current(500), At(98));
}

TEST_F(WatermarkTest, WithoutAnyEventThereIsNone) {
  const size_t a = Add();
  Quiet(a, 0);
  Quiet(a, 500);
  EXPECT_EQ(tracker_.State(a), PartitionState::kIdle);
  EXPECT_EQ(Current(500), kNoEventTime);
}

TEST_F(WatermarkTest, ARestartGoesOnWhereItStood) {
  tracker_ = WatermarkTracker(At(98));
  const size_t a = Add(At(100));
  const size_t b = Add(At(400));
  tracker_.Look(a, {.replaying = true}, Later(0));
  Busy(b, 0);
  tracker_.Observe(b, At(500));
  EXPECT_EQ(Current(), At(98));
  Busy(a, 1);
  tracker_.Observe(a, At(300));
  EXPECT_EQ(Current(1), At(298));
}

TEST_F(WatermarkTest, FutureDatedIsBeyondTheSkew) {
  const size_t a = Add();
  const int64_t now_s = kNow.value() / kSecond;
  EXPECT_FALSE(tracker_.IsFuture(a, At(now_s + 60), kNow));
  EXPECT_TRUE(
      tracker_.IsFuture(a, EventTime(At(now_s + 60).value() + 1), kNow));
  EXPECT_FALSE(tracker_.IsFuture(a, EventTime(kNoEventTime.value() + 1), kNow));
  EXPECT_TRUE(
      tracker_.IsFuture(a, EventTime(kNeverEventTime.value() - 1), kNow));
}

}  // namespace
}  // namespace tidegate
