#include "views/store/build_phase.h"

#include <gtest/gtest.h>

#include <thread>

namespace tidegate {
namespace {

constexpr int kLongMs = 60'000;

TEST(BuildPhase, OverFromTheStart) {
  BuildPhase phase(false);
  EXPECT_FALSE(phase.building());
  EXPECT_TRUE(phase.End(0));
  EXPECT_FALSE(phase.end_wanted());
}

TEST(BuildPhase, AskingDoesNotEndIt) {
  BuildPhase phase(true);
  EXPECT_FALSE(phase.end_wanted());
  EXPECT_FALSE(phase.End(0));
  EXPECT_TRUE(phase.end_wanted());
  EXPECT_TRUE(phase.building());
  EXPECT_FALSE(phase.End(1));
  phase.Finish();
  EXPECT_FALSE(phase.building());
  EXPECT_TRUE(phase.End(0));
}

TEST(BuildPhase, WhoeverWaitsIsWoken) {
  BuildPhase phase(true);
  bool ended = false;
  std::thread reader([&] { ended = phase.End(kLongMs); });
  while (!phase.end_wanted()) std::this_thread::yield();
  phase.Finish();
  reader.join();
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace tidegate
