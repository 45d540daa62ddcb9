#include "base/failpoint.h"

#include <cstdio>
#include <cstdlib>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

using ::testing::ExitedWithCode;

// Each body runs in a child: the environment is read once per process.
void DieAt(const char* setting, int calls) {
  ::setenv("TIDEGATE_FAILPOINT", setting, 1);
  for (int i = 0; i < calls; ++i) {
    Failpoint("other");
    Failpoint("commit");
  }
  std::fprintf(stderr, "survived\n");
  std::exit(0);
}

TEST(FailpointDeathTest, DiesAtTheCountedCall) {
  EXPECT_EXIT(DieAt("commit:3", 2), ExitedWithCode(0), "survived");
  EXPECT_EXIT(DieAt("commit:3", 3), ExitedWithCode(137), "");
}

TEST(FailpointDeathTest, OtherNamesDoNotCount) {
  EXPECT_EXIT(DieAt("checkpoint:1", 5), ExitedWithCode(0), "survived");
}

TEST(FailpointDeathTest, UnsetIsHarmless) {
  EXPECT_EXIT(DieAt("", 5), ExitedWithCode(0), "survived");
}

TEST(FailpointDeathTest, RunsNoDestructorAndNoExitHandler) {
  EXPECT_EXIT(
      {
        std::atexit([] { std::_Exit(1); });
        DieAt("commit:1", 1);
      },
      ExitedWithCode(137), "");
}

TEST(FailpointDeathTest, MalformedSettingIsNotIgnored) {
  for (const char* bad : {"commit", "commit:", "commit:0", "commit:x", ":1"}) {
    EXPECT_DEATH(DieAt(bad, 1), "not NAME:COUNT") << bad;
  }
}

}  // namespace
}  // namespace tidegate
