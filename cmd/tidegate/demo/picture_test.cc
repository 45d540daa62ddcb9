#include "cmd/tidegate/demo/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

DemoReport Sample() {
  DemoReport report;
  report.updates = 1234;
  report.resumes = 3;
  report.subscribers = 5;
  report.p50_us = 2345;
  report.p99_us = 12'000;
  report.final_report = true;
  report.columns = {"zone", "n"};
  report.rows = {{"Old \"Town\"", "12"}, {"Park", "7"}};
  report.problems = {"a problem"};
  return report;
}

TEST(PictureTest, ReportsRoundTrip) {
  const DemoReport report = Sample();
  const std::string line = FormatReport(report);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto parsed = ParseReport(line);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(FormatReport(*parsed), line);
  EXPECT_EQ(parsed->rows, report.rows);
  EXPECT_TRUE(parsed->final_report);
  for (const char* bad : {"", "{}", "{\"updates\":1}", "x"}) {
    EXPECT_FALSE(ParseReport(bad).ok()) << bad;
  }
}

TEST(PictureTest, LastLine) {
  EXPECT_EQ(DemoLastLine(20, Sample()),
            "events=20 updates=1234 p50=2.3 ms p99=12.0 ms, 0 violations");
}

TEST(PictureTest, ExitCodeTellsTheTruth) {
  EXPECT_EQ(DemoExitCode(20, Sample()), 0);
  EXPECT_NE(DemoExitCode(0, Sample()), 0);
  DemoReport report = Sample();
  report.updates = 0;
  EXPECT_NE(DemoExitCode(20, report), 0);
  report = Sample();
  report.violations = 1;
  EXPECT_NE(DemoExitCode(20, report), 0);
  report = Sample();
  report.final_report = false;
  EXPECT_NE(DemoExitCode(20, report), 0);
}

TEST(PictureTest, FrameShowsRowsAndMarksChangedOnes) {
  DemoState state;
  state.client = Sample();
  state.before = Sample();
  state.before.rows[1][1] = "6";
  const std::string frame =
      DemoFrame(state, DemoHints("build/release/tidegate", "127.0.0.1:1"), 80);
  EXPECT_THAT(frame, HasSubstr("\x1b[32mPark"));
  EXPECT_THAT(frame, Not(HasSubstr("\x1b[32mOld")));
  EXPECT_THAT(frame, HasSubstr("build/release/tidegate watch zones --server "));
  EXPECT_THAT(frame, HasSubstr("grpcurl -plaintext"));
}

TEST(PictureTest, LineWithoutATerminal) {
  DemoState state;
  state.seconds = 3;
  state.events = 3000;
  state.client = Sample();
  EXPECT_THAT(DemoLine(state), HasSubstr("events=3000"));
  EXPECT_THAT(DemoLine(state), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace tidegate
