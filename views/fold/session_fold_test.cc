#include "views/fold/session_fold.h"

#include <limits>

#include "gtest/gtest.h"
#include "views/fold/window_testing.h"

namespace tidegate {
namespace {

using testing::GroupK;
using testing::kNever;
using testing::PlanOf;
using testing::Texts;
using testing::WindowHarness;
using testing::WindowStart;

// SESSION with a gap of 10, GROUP BY k, window_start. Columns: k,
// window_start, window_end, count(*), …
ViewPlan Sessions() {
  return PlanOf({WindowKind::kSession, 10}, {GroupK(), WindowStart()});
}

TEST(SessionFoldTest, OnUpdate) {
  WindowHarness view(Sessions());
  EXPECT_EQ(view.next_timer(), kNever);
  EXPECT_EQ(view.Apply("a", 1, -3), "");
  EXPECT_EQ(view.Apply("b", 1, 4), "");
  EXPECT_EQ(view.Apply("a", 2, 6), "");    // ts == end - 1
  EXPECT_EQ(view.Apply("a", 3, 16), "");   // ts == end: another session
  EXPECT_EQ(view.Apply("a", 13, 25), "");  // WHERE: keeps nothing open
  EXPECT_EQ(view.Apply("a", 4, 26), "");
  EXPECT_EQ(view.Apply("a", 5, 26), "");  // a tie
  EXPECT_EQ(view.Commit(), 4);
  EXPECT_EQ(view.Rows(), Texts({"a|-3|16|2|3|2|NULL", "a|16|26|1|3|3|NULL",
                                "a|26|36|2|9|5|NULL", "b|4|14|1|1|1|NULL"}));
  EXPECT_EQ(view.next_timer(), kNever);
  EXPECT_EQ(view.AdvanceAndCommit(100), 0);
}

TEST(SessionFoldTest, GoesOnWithASessionOverCommitsAndRestarts) {
  WindowHarness view(Sessions());
  EXPECT_EQ(view.Apply("a", 1, 0), "");
  EXPECT_EQ(view.Apply("a", 1, 12), "");
  EXPECT_EQ(view.Apply("b", 1, 12), "");
  view.AdvanceAndCommit(13);
  view.Reopen();
  EXPECT_EQ(view.scans(), 1);
  EXPECT_EQ(view.Apply("a", 1, 21), "");
  EXPECT_EQ(view.Apply("b", 1, 22), "");
  view.AdvanceAndCommit(22);
  EXPECT_EQ(view.Rows(), Texts({"a|0|10|1|1|1|NULL", "a|12|31|2|2|1|NULL",
                                "b|12|22|1|1|1|NULL", "b|22|32|1|1|1|NULL"}));
}

TEST(SessionFoldTest, EmitOnWindowClose) {
  ViewPlan plan = Sessions();
  plan.emit_on_close = true;
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 1, 0), "");
  EXPECT_EQ(view.Apply("b", 1, 3), "");
  EXPECT_EQ(view.next_timer(), 10);
  EXPECT_EQ(view.Apply("a", 1, 5), "");
  EXPECT_EQ(view.next_timer(), 13);  // a's end has moved
  view.AdvanceAndCommit(12);
  EXPECT_EQ(view.Rows(), Texts());
  // b's first session has ended, but the watermark is not there yet.
  EXPECT_EQ(view.Apply("b", 1, 13), "");
  EXPECT_EQ(view.next_timer(), 13);
  view.Commit();
  view.Reopen();
  EXPECT_EQ(view.next_timer(), 13);
  EXPECT_EQ(view.AdvanceAndCommit(13), 1);
  EXPECT_EQ(view.Rows(), Texts({"b|3|13|1|1|1|NULL"}));
  EXPECT_EQ(view.next_timer(), 15);
  EXPECT_EQ(view.AdvanceAndCommit(15), 1);  // end == W
  EXPECT_EQ(view.Rows(), Texts({"a|0|15|2|2|1|NULL", "b|3|13|1|1|1|NULL"}));
  EXPECT_EQ(view.next_timer(), 23);
  EXPECT_EQ(view.AdvanceAndCommit(1'000), 1);
  EXPECT_EQ(view.next_timer(), kNever);
}

TEST(SessionFoldTest, Retention) {
  for (const bool on_close : {false, true}) {
    ViewPlan plan = Sessions();
    plan.emit_on_close = on_close;
    plan.retention_us = 5;
    WindowHarness view(plan);
    EXPECT_EQ(view.Apply("a", 1, 0), "");
    EXPECT_EQ(view.Apply("b", 1, 1), "");
    EXPECT_EQ(view.Apply("a", 1, 12), "");
    EXPECT_EQ(view.next_timer(), on_close ? 10 : 15);
    view.AdvanceAndCommit(13);
    EXPECT_EQ(view.next_timer(), 15);
    view.Reopen();
    EXPECT_EQ(view.next_timer(), 15);
    view.AdvanceAndCommit(14);
    EXPECT_EQ(view.Rows().size(), on_close ? 2u : 3u);
    EXPECT_EQ(view.AdvanceAndCommit(15), 1);
    EXPECT_EQ(view.next_timer(), 16);
    EXPECT_EQ(view.AdvanceAndCommit(16), 1);
    EXPECT_EQ(view.store().rows.size(), 1u);
    EXPECT_EQ(view.next_timer(), on_close ? 22 : 27);
    EXPECT_EQ(view.AdvanceAndCommit(27), 1);
    EXPECT_TRUE(view.store().rows.empty());
    EXPECT_EQ(view.next_timer(), kNever);
  }
}

TEST(SessionFoldTest, ClosedSessionsLeaveTheMemory) {
  WindowHarness view(Sessions(), /*max_keys=*/4);
  size_t most = 0;
  for (int64_t i = 0; i < 1'000; ++i) {
    EXPECT_EQ(view.Apply(absl::StrCat("k", i).c_str(), 1, i), "");
    view.AdvanceAndCommit(i + 1);
    most = std::max(most, view.fold()->cached_bytes());
  }
  EXPECT_EQ(view.Rows().size(), 1'000u);
  EXPECT_LT(most, 100u * 200);
}

TEST(SessionFoldTest, NoEventTimeAndEndsOutOfRange) {
  WindowHarness view(Sessions());
  EXPECT_EQ(view.TryApply({.k = "a", .x = 1, .ts = 1}, nullptr, true).message(),
            "no event time");
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(view.TryApply({.k = "a", .x = 1, .ts = kMax - 9}).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(view.Commit(), 0);
  EXPECT_EQ(view.Apply("a", 1, std::numeric_limits<int64_t>::min()), "");
  EXPECT_EQ(view.Apply("a", 1, kMax - 11), "");
  EXPECT_EQ(view.Commit(), 2);
}

// sum(10 / x) after the group is known: nothing is begun by what fails.
TEST(SessionFoldTest, AnEventThatFailsBeginsNoSession) {
  ViewPlan plan = Sessions();
  plan.emit_on_close = true;
  plan.aggregates[1].argument = testing::Binary(
      Op::kDivide, testing::Constant(Type::kBigint, Datum::Int(10)),
      testing::Column(1, Type::kBigint), Type::kBigint);
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 0, 0), "division by zero: 10 / 0");
  EXPECT_EQ(view.next_timer(), kNever);
  EXPECT_EQ(view.Apply("a", 1, 5), "");
  EXPECT_EQ(view.Apply("a", 0, 7), "division by zero: 10 / 0");
  EXPECT_EQ(view.next_timer(), 15);
  view.store().fail_with = absl::DataLossError("disk");
  EXPECT_EQ(view.Apply("a", 5, 20), "disk");
  view.store().fail_with = absl::OkStatus();
  EXPECT_EQ(view.next_timer(), 15);
  view.AdvanceAndCommit(15);
  EXPECT_EQ(view.Rows(), Texts({"a|5|15|1|10|1|NULL"}));
}

TEST(SessionFoldTest, MalformedStateIsDataLoss) {
  WindowHarness view(Sessions());
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  view.Commit();
  for (const absl::string_view state : {"", "\x02", "\x01"}) {
    view.store().rows.begin()->second.state = std::string(state);
    EXPECT_EQ(view.fold()->Open(EventTime(0)).code(),
              absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace tidegate
