#include "base/log.h"

#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/timestamp.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

// The line without its time, which is checked.
std::string WithoutTime(const std::string& line) {
  const size_t space = line.find(' ');
  const std::string time = line.substr(0, space);
  EXPECT_TRUE(ParseTimestamp(time).ok()) << time;
  EXPECT_EQ(time.size(), std::string("2026-01-02T03:04:05.678Z").size());
  return line.substr(space + 1);
}

TEST(LogTest, WritesOneLine) {
  CaptureStderr();
  Log(LogLevel::kWarning, "bad record",
      {{"topic", "orders"},
       {"partition", 3},
       {"why", "no \"ts\""},
       {"empty", ""}});
  EXPECT_EQ(WithoutTime(GetCapturedStderr()),
            "WARNING bad record topic=orders partition=3 "
            "why=\"no \\\"ts\\\"\" empty=\"\"\n");
}

TEST(LogTest, AValueCannotForgeALine) {
  CaptureStderr();
  Log(LogLevel::kError, "a\nb", {{"k", "x\ny"}});
  EXPECT_EQ(WithoutTime(GetCapturedStderr()), "ERROR a\\nb k=\"x\\ny\"\n");
}

TEST(LogTest, LevelsBelowTheThresholdAreDropped) {
  CaptureStderr();
  Log(LogLevel::kDebug, "hidden");
  SetLogLevel(LogLevel::kDebug);
  Log(LogLevel::kDebug, "shown");
  SetLogLevel(LogLevel::kError);
  Log(LogLevel::kWarning, "hidden");
  SetLogLevel(LogLevel::kInfo);
  EXPECT_EQ(WithoutTime(GetCapturedStderr()), "DEBUG shown\n");
}

TEST(LogTest, LinesOfManyThreadsStayWhole) {
  CaptureStderr();
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) Log(LogLevel::kInfo, "line", {{"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = GetCapturedStderr();
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  ASSERT_EQ(lines.size(), 401u);
  for (size_t i = 0; i < 400; ++i) {
    EXPECT_TRUE(absl::StartsWith(WithoutTime(lines[i]), "INFO line i="));
  }
}

TEST(LogRateLimiterTest, LetsABurstThroughEachSecond) {
  LogRateLimiter limiter(2);
  const int64_t start = 1'700'000'000'000'000;
  int64_t suppressed = -1;
  EXPECT_TRUE(limiter.Allow(ProcessingTime(start), &suppressed));
  EXPECT_EQ(suppressed, 0);
  EXPECT_TRUE(limiter.Allow(ProcessingTime(start + 1), &suppressed));
  EXPECT_FALSE(limiter.Allow(ProcessingTime(start + 2), &suppressed));
  EXPECT_FALSE(limiter.Allow(ProcessingTime(start + 999'999), &suppressed));
  EXPECT_TRUE(limiter.Allow(ProcessingTime(start + 1'000'000), &suppressed));
  EXPECT_EQ(suppressed, 2);
}

TEST(LogRateLimiterTest, AClockSetBackDoesNotSilenceTheLog) {
  LogRateLimiter limiter(1);
  int64_t suppressed = 0;
  EXPECT_TRUE(limiter.Allow(ProcessingTime(5'000'000), &suppressed));
  EXPECT_TRUE(limiter.Allow(ProcessingTime(1'000'000), &suppressed));
}

}  // namespace
}  // namespace tidegate
