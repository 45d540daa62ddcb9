#include "loadtest/bench/window_close.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr int64_t kStart = 1'000'000 * kWindowUs;

// Orders every 100 ms, of two drivers in turn, each in a partition of its own.
Stamps Orders(int64_t count) {
  Stamps times(count);
  for (int64_t i = 0; i < count; ++i) times.Set(i, kStart + i * 100'000);
  return times;
}

TEST(WindowCloseTest, TheLastPartitionToPassTheEndCompletesIt) {
  const Stamps times = Orders(45);
  // Order 20 is the first at the end of the second window, in partition 0;
  // order 21 brings partition 1 there.
  EXPECT_THAT(
      CompletingOrders(
          {.event_times = &times, .keys = 2, .partitions = 2, .bound_us = 0},
          0),
      ElementsAre(Pair(kStart + kWindowUs, 21),
                  Pair(kStart + 2 * kWindowUs, 31),
                  Pair(kStart + 3 * kWindowUs, 41)));
}

TEST(WindowCloseTest, TheBoundPutsItOff) {
  const Stamps times = Orders(45);
  EXPECT_THAT(CompletingOrders({.event_times = &times,
                                .keys = 2,
                                .partitions = 2,
                                .bound_us = 150'000},
                               20),
              ElementsAre(Pair(kStart + 3 * kWindowUs, 43)));
}

TEST(WindowCloseTest, APartitionWithoutOrdersHoldsEverything) {
  const Stamps times = Orders(45);
  EXPECT_THAT(
      CompletingOrders(
          {.event_times = &times, .keys = 2, .partitions = 3, .bound_us = 0},
          0),
      IsEmpty());
}

}  // namespace
}  // namespace tidegate
