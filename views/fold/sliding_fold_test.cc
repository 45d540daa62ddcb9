#include "views/fold/sliding_fold.h"

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

// SLIDING of 30 in steps of 10, GROUP BY k.
ViewPlan Sliding() {
  return PlanOf({WindowKind::kSliding, 30, 10}, {GroupK()});
}

TEST(SlidingFoldTest, ShrinksAsTimePasses) {
  WindowHarness view(Sliding());
  EXPECT_EQ(view.next_timer(), kNever);
  EXPECT_EQ(view.Apply("a", 1, 9), "");
  EXPECT_EQ(view.Apply("a", 2, 10), "");
  EXPECT_EQ(view.Apply("a", 4, -1), "");
  EXPECT_EQ(view.Apply("a", 8, 100), "");  // all that is newer counts
  EXPECT_EQ(view.Apply("b", 1, 0), "");
  EXPECT_EQ(view.Apply("b", 13, 0), "");  // WHERE
  EXPECT_EQ(view.Commit(), 2);
  EXPECT_EQ(view.Rows(), Texts({"a|4|15|8|NULL", "b|1|1|1|NULL"}));
  EXPECT_EQ(view.next_timer(), 20);  // -10 + 30
  EXPECT_EQ(view.AdvanceAndCommit(19), 0);
  EXPECT_EQ(view.AdvanceAndCommit(20), 1);
  EXPECT_EQ(view.Rows(), Texts({"a|3|11|8|NULL", "b|1|1|1|NULL"}));
  EXPECT_EQ(view.next_timer(), 30);
  view.Reopen();
  EXPECT_EQ(view.scans(), 1);
  EXPECT_EQ(view.next_timer(), 30);
  EXPECT_EQ(view.AdvanceAndCommit(30), 2);
  EXPECT_EQ(view.Rows(), Texts({"a|2|10|8|NULL"}));
  EXPECT_EQ(view.next_timer(), 40);
  EXPECT_EQ(view.AdvanceAndCommit(129), 1);
  EXPECT_EQ(view.next_timer(), 130);
  EXPECT_EQ(view.AdvanceAndCommit(130), 1);
  EXPECT_TRUE(view.store().rows.empty());
  EXPECT_EQ(view.next_timer(), kNever);
}

TEST(SlidingFoldTest, LateIsWhatThePanesNoLongerReach) {
  WindowHarness view(Sliding());
  view.AdvanceAndCommit(39);  // X = 30 + 10 - 30
  EXPECT_EQ(view.Apply("a", 1, 9), "late");
  EXPECT_EQ(view.Apply("a", 13, 9), "");  // WHERE
  EXPECT_EQ(view.Apply("a", 1, 10), "");
  view.AdvanceAndCommit(40);
  EXPECT_EQ(view.Apply("a", 1, 19), "late");
  const ReplayTarget replay = {{"v", {}}};
  EXPECT_EQ(view.Apply({.k = "a", .x = 1, .ts = 19}, &replay), "late");
  EXPECT_EQ(view.Apply("a", 1, 20), "");
  view.Commit();
  EXPECT_EQ(view.Rows(), Texts({"a|1|1|1|NULL"}));
}

TEST(SlidingFoldTest, AKeyThatComesBack) {
  WindowHarness view(Sliding());
  EXPECT_EQ(view.Apply("a", 1, 0), "");
  view.Commit();
  // Gone and back within a commit.
  view.Advance(30);
  EXPECT_EQ(view.Apply("a", 2, 31), "");
  EXPECT_EQ(view.next_timer(), 60);
  EXPECT_EQ(view.Commit(), 1);
  EXPECT_EQ(view.Rows(), Texts({"a|1|2|2|NULL"}));
  // Never stored, gone within a commit.
  EXPECT_EQ(view.Apply("b", 2, 31), "");
  view.Advance(60);
  EXPECT_EQ(view.Commit(), 1);
  EXPECT_TRUE(view.store().rows.empty());
}

TEST(SlidingFoldTest, PanesInAnyOrderExpireOnce) {
  WindowHarness view(Sliding());
  for (const int64_t ts : {50, 30, 40, 20, 60, 20}) view.Apply("a", 1, ts);
  view.Commit();
  int64_t count = 6;
  for (const int64_t lost : {2, 1, 1, 1, 1}) {
    EXPECT_EQ(view.AdvanceAndCommit(view.next_timer()), 1);
    count -= lost;
    EXPECT_EQ(view.Rows(),
              count == 0
                  ? Texts()
                  : Texts({absl::StrCat("a|", count, "|", count, "|1|NULL")}));
  }
  EXPECT_EQ(view.next_timer(), kNever);
}

TEST(SlidingFoldTest, CurrentRow) {
  WindowHarness view(Sliding());
  std::string key;
  EncodeKey({Type::kVarchar}, {Datum::Text("a")}, &key);
  absl::string_view row;
  EXPECT_FALSE(view.fold()->CurrentRow(key, &row).value());
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  EXPECT_EQ(view.Apply("a", 1, 11), "");
  ASSERT_TRUE(view.fold()->CurrentRow(key, &row).value());
  EXPECT_EQ(view.Text(row), "a|2|2|1|NULL");
  view.Commit();
  view.Advance(30);
  ASSERT_TRUE(view.fold()->CurrentRow(key, &row).value());
  EXPECT_EQ(view.Text(row), "a|1|1|1|NULL");
  view.Advance(40);
  EXPECT_FALSE(view.fold()->CurrentRow(key, &row).value());
}

TEST(SlidingFoldTest, NoEventTimeAndPanesOutOfRange) {
  WindowHarness view(Sliding());
  EXPECT_EQ(view.TryApply({.k = "a", .x = 1, .ts = 1}, nullptr, true).message(),
            "no event time");
  for (const int64_t ts : {std::numeric_limits<int64_t>::min(),
                           std::numeric_limits<int64_t>::max() - 27}) {
    EXPECT_EQ(view.TryApply({.k = "a", .x = 1, .ts = ts}).code(),
              absl::StatusCode::kOutOfRange)
        << ts;
  }
  EXPECT_EQ(view.Commit(), 0);
  EXPECT_EQ(view.Apply("a", 1, std::numeric_limits<int64_t>::max() - 28), "");
}

TEST(SlidingFoldTest, MalformedStateIsDataLoss) {
  WindowHarness view(Sliding());
  EXPECT_EQ(view.Apply("a", 1, 1), "");
  view.Commit();
  const std::string good = view.store().rows.begin()->second.state;
  const std::string no_panes(2, '\0');
  for (const std::string& state :
       {std::string(), std::string("\x02"), no_panes,
        good.substr(0, good.size() - 1), good.substr(0, 2)}) {
    view.store().rows.begin()->second.state = state;
    EXPECT_EQ(view.fold()->Open(EventTime(0)).code(),
              absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace tidegate
