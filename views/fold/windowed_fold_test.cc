#include "views/fold/windowed_fold.h"

#include <limits>

#include "gtest/gtest.h"
#include "views/fold/window_testing.h"

namespace tidegate {
namespace {

using testing::Binary;
using testing::Column;
using testing::Constant;
using testing::GroupK;
using testing::kNever;
using testing::PlanOf;
using testing::Texts;
using testing::WindowEnd;
using testing::WindowHarness;
using testing::WindowStart;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

WindowPlan Tumble(int64_t size, int64_t offset = 0) {
  return {WindowKind::kTumble, size, size, offset};
}
WindowPlan Hop(int64_t slide, int64_t size, int64_t offset = 0) {
  return {WindowKind::kHop, size, slide, offset};
}

// GROUP BY window_start, k
ViewPlan ByStart(WindowPlan window) {
  return PlanOf(window, {WindowStart(), GroupK()});
}

TEST(WindowedFoldTest, TumbleOnUpdate) {
  WindowHarness view(ByStart(Tumble(10)));
  EXPECT_EQ(view.Apply("a", 1, 0), "");   // ts == start
  EXPECT_EQ(view.Apply("a", 2, 9), "");   // the window's last
  EXPECT_EQ(view.Apply("a", 3, 10), "");  // ts == end: the next
  EXPECT_EQ(view.Apply("b", 4, 5), "");
  EXPECT_EQ(view.Apply("b", 13, 5), "");  // WHERE
  EXPECT_EQ(view.Apply("a", 5, -1), "");
  EXPECT_EQ(view.Apply("a", 6, -10), "");
  EXPECT_EQ(view.Apply("a", 7, -11), "");
  EXPECT_EQ(view.Commit(), 5);
  EXPECT_EQ(view.Rows(),
            Texts({"-20|a|1|7|7|NULL", "-10|a|2|11|5|NULL", "0|a|2|3|2|NULL",
                   "0|b|1|4|4|NULL", "10|a|1|3|3|NULL"}));
  EXPECT_EQ(view.next_timer(), kNever);
  // Closing changes no row, and nothing is looked for at the start.
  EXPECT_EQ(view.AdvanceAndCommit(100), 0);
  view.Reopen();
  EXPECT_EQ(view.scans(), 0);
}

TEST(WindowedFoldTest, Offsets) {
  WindowHarness view(ByStart(Tumble(10, 3)));
  for (const int64_t ts : {-8, -7, 2, 3, 12, 13}) view.Apply("a", 1, ts);
  view.Commit();
  EXPECT_EQ(view.Rows(), Texts({"-17|a|1|1|1|NULL", "-7|a|2|2|1|NULL",
                                "3|a|2|2|1|NULL", "13|a|1|1|1|NULL"}));
}

TEST(WindowedFoldTest, AnEventIsInManyHops) {
  WindowHarness view(ByStart(Hop(5, 15, 1)));
  EXPECT_EQ(view.Apply("a", 1, 11), "");
  EXPECT_EQ(view.Apply("a", 2, 15), "");
  EXPECT_EQ(view.Apply("a", 4, 16), "");
  EXPECT_EQ(view.Commit(), 4);
  EXPECT_EQ(view.Rows(), Texts({"1|a|2|3|2|NULL", "6|a|3|7|4|NULL",
                                "11|a|3|7|4|NULL", "16|a|1|4|4|NULL"}));
}

TEST(WindowedFoldTest, KeyedByItsEndAlone) {
  ViewPlan plan = PlanOf(Tumble(10), {GroupK(), WindowEnd()});
  plan.emit_on_close = true;
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 1, 3), "");
  EXPECT_EQ(view.next_timer(), 10);
  EXPECT_EQ(view.Commit(), 1);
  view.Reopen();
  EXPECT_EQ(view.next_timer(), 10);
  EXPECT_EQ(view.AdvanceAndCommit(10), 1);
  EXPECT_EQ(view.Rows(), Texts({"a|10|1|1|1|NULL"}));
}

TEST(WindowedFoldTest, LateAtTheWindowsEnd) {
  WindowHarness view(ByStart(Tumble(10)));
  view.AdvanceAndCommit(9);
  EXPECT_EQ(view.Apply("a", 1, 0), "");
  view.AdvanceAndCommit(10);  // end == W
  EXPECT_EQ(view.Apply("a", 2, 9), "late 0");
  EXPECT_EQ(view.Apply("a", 13, 9), "");  // WHERE would not have it
  EXPECT_EQ(view.Apply("a", 3, 10), "");
  view.Commit();
  EXPECT_EQ(view.Rows(), Texts({"0|a|1|1|1|NULL", "10|a|1|3|3|NULL"}));
}

TEST(WindowedFoldTest, AHopIsLateForSomeWindowsOnly) {
  WindowHarness view(ByStart(Hop(5, 15)));
  view.AdvanceAndCommit(20);
  EXPECT_EQ(view.Apply("a", 1, 12), "late 0,5");
  EXPECT_EQ(view.Commit(), 1);
  EXPECT_EQ(view.Rows(), Texts({"10|a|1|1|1|NULL"}));
  view.AdvanceAndCommit(24);
  EXPECT_EQ(view.Apply("a", 1, 12), "late 0,5");
  view.AdvanceAndCommit(25);
  EXPECT_EQ(view.Apply("a", 1, 12), "late 0,5,10");
  EXPECT_EQ(view.fold()->dirty_keys(), 0u);
}

TEST(WindowedFoldTest, AllowedLatenessCorrects) {
  ViewPlan plan = ByStart(Tumble(10));
  plan.allowed_lateness_us = 5;
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  view.AdvanceAndCommit(9);
  EXPECT_EQ(view.Apply("a", 1, 2), "");
  view.AdvanceAndCommit(10);
  EXPECT_EQ(view.Rows(), Texts({"0|a|2|2|1|NULL"}));
  EXPECT_EQ(view.Apply("a", 1, 3), "");
  EXPECT_EQ(view.Apply("b", 1, 3), "");  // a new row of a closed window
  view.AdvanceAndCommit(14);             // end + lateness > W
  EXPECT_EQ(view.Rows(), Texts({"0|a|3|3|1|NULL!", "0|b|1|1|1|NULL!"}));
  // Sticky, over a restart too.
  view.Reopen();
  EXPECT_EQ(view.Apply("a", 1, 4), "");
  view.AdvanceAndCommit(15);
  EXPECT_EQ(view.Rows(), Texts({"0|a|4|4|1|NULL!", "0|b|1|1|1|NULL!"}));
  EXPECT_EQ(view.Apply("a", 1, 4), "late 0");
}

TEST(WindowedFoldTest, OnlyTheCorrectionIsAChangeToo) {
  // Only last_value: the event of the correction is not the last.
  ViewPlan plan = ByStart(Tumble(10));
  plan.allowed_lateness_us = 5;
  plan.aggregates = {plan.aggregates[2]};
  plan.outputs = {plan.outputs[0], plan.outputs[1], Column(2, Type::kBigint)};
  plan.columns.resize(3);
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 7, 8), "");
  EXPECT_EQ(view.Commit(), 1);
  EXPECT_EQ(view.Apply("a", 8, 7), "");
  EXPECT_EQ(view.AdvanceAndCommit(10), 0);
  EXPECT_EQ(view.Apply("a", 8, 7), "");
  EXPECT_EQ(view.Commit(), 1);
  EXPECT_EQ(view.Rows(), Texts({"0|a|7!"}));
  EXPECT_EQ(view.Apply("a", 8, 7), "");
  EXPECT_EQ(view.Commit(), 0);
}

TEST(WindowedFoldTest, EmitOnWindowClose) {
  ViewPlan plan = ByStart(Tumble(10));
  plan.emit_on_close = true;
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  EXPECT_EQ(view.Apply("a", 1, 11), "");
  EXPECT_EQ(view.Commit(), 2);  // states without rows
  EXPECT_EQ(view.Rows(), Texts());
  EXPECT_EQ(view.next_timer(), 10);
  EXPECT_EQ(view.AdvanceAndCommit(9), 0);
  EXPECT_EQ(view.Apply("a", 1, 2), "");
  EXPECT_EQ(view.AdvanceAndCommit(10), 1);
  EXPECT_EQ(view.Rows(), Texts({"0|a|2|2|1|NULL"}));
  EXPECT_EQ(view.next_timer(), 20);
  view.Reopen();
  EXPECT_EQ(view.scans(), 1);
  EXPECT_EQ(view.next_timer(), 20);
  EXPECT_EQ(view.AdvanceAndCommit(1'000), 1);
  EXPECT_EQ(view.Rows(), Texts({"0|a|2|2|1|NULL", "10|a|1|1|1|NULL"}));
  EXPECT_EQ(view.next_timer(), kNever);
}

TEST(WindowedFoldTest, LateRowsOfEmitOnCloseAppearAtOnce) {
  ViewPlan plan = ByStart(Tumble(10));
  plan.emit_on_close = true;
  plan.allowed_lateness_us = 100;
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  view.AdvanceAndCommit(50);
  EXPECT_EQ(view.Apply("a", 1, 2), "");
  EXPECT_EQ(view.Apply("b", 1, 2), "");
  EXPECT_EQ(view.next_timer(), kNever);
  EXPECT_EQ(view.Commit(), 2);
  EXPECT_EQ(view.Rows(), Texts({"0|a|2|2|1|NULL!", "0|b|1|1|1|NULL!"}));
}

TEST(WindowedFoldTest, Retention) {
  for (const bool on_close : {false, true}) {
    ViewPlan plan = ByStart(Tumble(10));
    plan.emit_on_close = on_close;
    plan.retention_us = 5;
    WindowHarness view(plan);
    EXPECT_EQ(view.Apply("a", 1, 1), "");
    EXPECT_EQ(view.Apply("a", 1, 11), "");
    EXPECT_EQ(view.next_timer(), on_close ? 10 : 15);
    view.AdvanceAndCommit(14);  // end + retention > W
    EXPECT_EQ(view.Rows().front(), "0|a|1|1|1|NULL");
    EXPECT_EQ(view.next_timer(), 15);
    view.Reopen();
    EXPECT_EQ(view.scans(), 1);
    EXPECT_EQ(view.next_timer(), 15);
    EXPECT_EQ(view.AdvanceAndCommit(15), 1);
    EXPECT_EQ(view.store().rows.size(), 1u);
    EXPECT_EQ(view.next_timer(), on_close ? 20 : 25);
    EXPECT_EQ(view.Apply("a", 1, 1), "late 0");
    // Over both times at once: gone without having been seen, if on close.
    EXPECT_EQ(view.AdvanceAndCommit(25), 1);
    EXPECT_TRUE(view.store().rows.empty());
    EXPECT_EQ(view.next_timer(), kNever);
  }
}

TEST(WindowedFoldTest, WhatNeverWasStoredIsNotReportedGone) {
  ViewPlan plan = ByStart(Tumble(10));
  plan.emit_on_close = true;
  plan.retention_us = 0;
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  EXPECT_EQ(view.AdvanceAndCommit(10), 0);
}

TEST(WindowedFoldTest, ReplayFoldsIntoClosedWindows) {
  WindowHarness view(ByStart(Hop(5, 15)));
  view.AdvanceAndCommit(20);
  EXPECT_EQ(view.Apply("a", 1, 12), "late 0,5");
  const ReplayTarget named = {{"v", {EventTime(5)}}};
  EXPECT_EQ(view.Apply({.k = "a", .x = 1, .ts = 12}, &named), "");
  view.Commit();
  EXPECT_EQ(view.Rows(), Texts({"5|a|1|1|1|NULL!", "10|a|1|1|1|NULL"}));
  const ReplayTarget all = {{"v", {}}};
  EXPECT_EQ(view.Apply({.k = "b", .x = 2, .ts = 12}, &all), "");
  view.Commit();
  EXPECT_EQ(view.Rows(),
            Texts({"0|b|1|2|2|NULL!", "5|a|1|1|1|NULL!", "5|b|1|2|2|NULL!",
                   "10|a|1|1|1|NULL", "10|b|1|2|2|NULL"}));
  // For another view alone: the pipeline's mistake.
  const ReplayTarget other = {{"w", {}}};
  EXPECT_EQ(view.TryApply({.k = "c", .x = 2, .ts = 12}, &other).code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(view.Commit(), 0);
}

TEST(WindowedFoldTest, ReplayIsLateWhenTheRetentionIsOver) {
  ViewPlan plan = ByStart(Hop(5, 15));
  plan.retention_us = 7;
  WindowHarness view(plan);
  view.AdvanceAndCommit(22);
  const ReplayTarget all = {{"v", {}}};
  EXPECT_EQ(view.Apply({.k = "a", .x = 1, .ts = 12}, &all), "late 0");
  const ReplayTarget named = {{"v", {EventTime(0), EventTime(10)}}};
  EXPECT_EQ(view.Apply({.k = "a", .x = 1, .ts = 12}, &named), "late 0");
  EXPECT_EQ(view.next_timer(), 27);
  view.Commit();
  EXPECT_EQ(view.Rows(), Texts({"5|a|1|1|1|NULL!", "10|a|2|2|1|NULL"}));
}

TEST(WindowedFoldTest, ReplayIntoAWindowThatDoesNotHoldTheEvent) {
  WindowHarness view(ByStart(Hop(5, 15)));
  for (const int64_t start : {-5, 3, 15}) {
    const ReplayTarget target = {{"v", {EventTime(5), EventTime(start)}}};
    EXPECT_EQ(view.TryApply({.k = "a", .x = 1, .ts = 12}, &target).code(),
              absl::StatusCode::kInvalidArgument)
        << start;
  }
  EXPECT_EQ(view.Commit(), 0);
}

TEST(WindowedFoldTest, NoEventTime) {
  WindowHarness view(ByStart(Tumble(10)));
  const absl::Status status =
      view.TryApply({.k = "a", .x = 1, .ts = 1}, nullptr, true);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "no event time");
  EXPECT_EQ(view.Commit(), 0);
}

TEST(WindowedFoldTest, WindowsOutOfRange) {
  WindowHarness view(ByStart(Hop(5, 15)));
  // The last whole step ends at kMax - 2.
  EXPECT_EQ(view.Apply("a", 1, kMax - 13), "");
  EXPECT_EQ(view.Apply("a", 1, kMin + 18), "");
  EXPECT_EQ(view.Commit(), 6);
  for (const int64_t ts : {kMax, kMax - 12, kMin + 12, kMin}) {
    EXPECT_EQ(view.TryApply({.k = "a", .x = 1, .ts = ts}).code(),
              absl::StatusCode::kOutOfRange)
        << ts;
  }
  EXPECT_EQ(view.TryApply({.k = "a", .x = 13, .ts = kMax}).code(),
            absl::StatusCode::kOk);  // WHERE
  EXPECT_EQ(view.Commit(), 0);
}

TEST(WindowedFoldTest, LatenessAndRetentionDoNotOverflow) {
  ViewPlan plan = ByStart(Tumble(10));
  plan.allowed_lateness_us = kMax;
  plan.retention_us = kMax;
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  view.AdvanceAndCommit(kMax - 1);
  EXPECT_EQ(view.next_timer(), kNever);
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  view.Commit();
  EXPECT_EQ(view.Rows(), Texts({"0|a|2|2|1|NULL!"}));
}

// An aggregate that fails for one of the windows: max(10 / (window_start - 5)).
TEST(WindowedFoldTest, AnEventThatFailsForOneWindowHasNoEffect) {
  ViewPlan plan = ByStart(Hop(5, 15));
  const auto micros = [](int64_t n) {
    return Constant(Type::kBigint, Datum::Int(n));
  };
  const Expr start = Column(testing::kWindowStart, Type::kBigint);
  testing::AddAggregate(&plan, "top",
                        {.kind = AggregateKind::kMax,
                         .argument = Binary(Op::kDivide, micros(10),
                                            Binary(Op::kSubtract, start,
                                                   micros(5), Type::kBigint),
                                            Type::kBigint)});
  WindowHarness view(plan);
  EXPECT_EQ(view.Apply("a", 1, 12), "division by zero: 10 / 0");
  EXPECT_EQ(view.fold()->dirty_keys(), 0u);
  EXPECT_EQ(view.next_timer(), kNever);
  EXPECT_EQ(view.Apply("a", 1, 22), "");
  EXPECT_EQ(view.Commit(), 3);
  EXPECT_EQ(view.Rows(), Texts({"10|a|1|1|1|NULL|2", "15|a|1|1|1|NULL|1",
                                "20|a|1|1|1|NULL|0"}));
  // A window that is late, or not named, cannot fail.
  view.AdvanceAndCommit(20);
  EXPECT_EQ(view.Apply("b", 1, 12), "late 0,5");
  const ReplayTarget named = {{"v", {EventTime(0)}}};
  EXPECT_EQ(view.Apply({.k = "b", .x = 1, .ts = 12}, &named), "");
}

// Flags, then the aggregates as without windows.
TEST(WindowedFoldTest, StateBytes) {
  for (const bool corrected : {false, true}) {
    ViewPlan plan = ByStart(Tumble(10));
    plan.allowed_lateness_us = 5;
    plan.outputs.resize(4);
    plan.columns.resize(4);
    plan.aggregates.resize(2);
    WindowHarness view(plan);
    if (corrected) view.Advance(10);
    EXPECT_EQ(view.Apply("a", 5, 1), "");
    view.Commit();
    EXPECT_EQ(
        view.store().rows.begin()->second.state,
        absl::string_view(
            corrected ? "\x01\x01\x01\x00\x05" : "\x00\x01\x01\x00\x05", 5));
  }
}

TEST(WindowedFoldTest, MalformedStateIsDataLoss) {
  for (const absl::string_view state : {"\x02", "\x01", "\x80"}) {
    WindowHarness view(ByStart(Tumble(10)));
    EXPECT_EQ(view.Apply("a", 1, 1), "");
    EXPECT_EQ(view.Commit(), 1);
    view.store().rows.begin()->second.state = std::string(state);
    view.Reopen();
    EXPECT_EQ(view.TryApply({.k = "a", .x = 1, .ts = 1}).code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(WindowedFoldTest, ClosesMoreWindowsThanTheCacheHolds) {
  ViewPlan plan = ByStart(Tumble(10));
  plan.emit_on_close = true;
  plan.retention_us = 10;
  WindowHarness view(plan, /*max_keys=*/8);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(view.Apply(absl::StrCat("k", i).c_str(), 1, 1), "");
    if (i % 4 == 0) view.Commit();
  }
  view.Commit();
  EXPECT_EQ(view.AdvanceAndCommit(10), 100);
  EXPECT_EQ(view.Rows().size(), 100u);
  EXPECT_EQ(view.AdvanceAndCommit(20), 100);
  EXPECT_TRUE(view.store().rows.empty());
  EXPECT_LT(view.fold()->cached_bytes(), 100u * 200);
}

TEST(WindowedFoldTest, CurrentRow) {
  ViewPlan plan = ByStart(Tumble(10));
  plan.emit_on_close = true;
  plan.retention_us = 10;
  WindowHarness view(plan);
  std::string key;
  EncodeKey({Type::kTimestamptz, Type::kVarchar},
            {Datum::Int(0), Datum::Text("a")}, &key);
  absl::string_view row;
  EXPECT_FALSE(view.fold()->CurrentRow(key, &row).value());
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  EXPECT_FALSE(view.fold()->CurrentRow(key, &row).value());
  view.Commit();
  EXPECT_FALSE(view.fold()->CurrentRow(key, &row).value());
  for (const bool committed : {false, true}) {
    view.Advance(10);
    if (committed) view.Commit();
    ASSERT_TRUE(view.fold()->CurrentRow(key, &row).value());
    EXPECT_EQ(view.Text(row), "0|a|1|1|1|NULL");
  }
  view.Advance(20);
  EXPECT_FALSE(view.fold()->CurrentRow(key, &row).value());
  view.Commit();
  EXPECT_FALSE(view.fold()->CurrentRow(key, &row).value());
}

// An ordered view (a join as of event time) over TUMBLE: its events are at or
// above the watermark, and below the one that is next.
TEST(WindowedFoldTest, AdmitsWhatTheFilterPasses) {
  WindowHarness view(ByStart(Tumble(10)));
  const auto admits = [&view](Datum x) {
    const Datum columns[] = {Datum::Text("a"), x, Datum::Null(), Datum::Int(1)};
    return view.fold()->Admits({.columns = columns}).value();
  };
  EXPECT_TRUE(admits(Datum::Int(1)));
  EXPECT_FALSE(admits(Datum::Int(13)));
  EXPECT_FALSE(admits(Datum::Null()));
}

}  // namespace
}  // namespace tidegate
