#include "gateway/core/finality.h"

#include <limits>

#include "base/coding.h"
#include "gateway/core/testing.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kGreatest = std::numeric_limits<int64_t>::max();

TEST(FinalityTest, TheWatermarkAtTheEndClosesAWindow) {
  for (const int64_t end : {int64_t{1'700'000'000'123'456}, int64_t{0},
                            int64_t{-1'500'001}, int64_t{3'000'000}}) {
    const std::string row = WindowedRow("k", "v", end);
    const auto judge = [&](bool corrected, int64_t watermark) {
      return FinalityOf(TestWindow(), row, corrected, EventTime(watermark));
    };
    EXPECT_EQ(judge(false, end - 1), Finality::kProvisional) << end;
    EXPECT_EQ(judge(false, end), Finality::kFinal) << end;
    EXPECT_EQ(judge(true, end), Finality::kCorrected) << end;
    // Cannot be, and is not said.
    EXPECT_EQ(judge(true, end - 1), Finality::kProvisional) << end;
  }
}

TEST(FinalityTest, WithoutAWatermarkEverythingIsOpen) {
  EXPECT_EQ(
      FinalityOf(TestWindow(), WindowedRow("k", "v", 0), false, kNoEventTime),
      Finality::kProvisional);
}

TEST(FinalityTest, ViewsWithoutWindowsHaveNone) {
  const WindowEnd none = WindowEndOf(TestSchema(), -1, 0);
  EXPECT_EQ(FinalityOf(none, TestRow("k", "v"), true, EventTime(5)),
            Finality::kUnspecified);
}

TEST(FinalityTest, TheColumnsFieldNumberCounts) {
  EXPECT_EQ(TestWindow().field, 17u);
  EXPECT_EQ(TestWindow().add_us, kTestWindowUs);
}

TEST(FinalityTest, EveryInstantIsRead) {
  RowSchema schema;
  schema.fields = {{"t", Type::kTimestamptz, 1}};
  for (const int64_t time : {kLeast, kLeast + 1, int64_t{-1}, int64_t{0},
                             int64_t{1}, kGreatest - 1, kGreatest}) {
    const Datum values[] = {Datum::Int(time)};
    std::string row;
    EncodeRow(schema, values, &row);
    const auto judge = [&](int64_t add_us, int64_t watermark) {
      return FinalityOf(WindowEndOf(schema, 0, add_us), row, false,
                        EventTime(watermark));
    };
    // The least watermark stands for none.
    EXPECT_EQ(judge(0, time),
              time == kLeast ? Finality::kProvisional : Finality::kFinal);
    if (time > kLeast) {
      EXPECT_EQ(judge(0, time - 1), Finality::kProvisional) << time;
    }
    // An end beyond every instant is never reached.
    EXPECT_EQ(judge(kGreatest, kGreatest),
              time > 0 ? Finality::kProvisional : Finality::kFinal)
        << time;
  }
}

TEST(FinalityTest, ARowThatDoesNotSayIsProvisional) {
  const WindowEnd window = TestWindow();
  const EventTime never = kNeverEventTime;
  const std::string null = TestRow("k", "v");
  EXPECT_EQ(FinalityOf(window, null, true, never), Finality::kProvisional);
  EXPECT_EQ(FinalityOf(window, "", true, never), Finality::kProvisional);
  const std::string row = WindowedRow("k", "v", 5'000'000);
  for (size_t size = 0; size < row.size(); ++size) {
    EXPECT_EQ(FinalityOf(window, absl::string_view(row).substr(0, size), false,
                         never),
              Finality::kProvisional)
        << size;
  }
  std::string wrong_type;
  PutTag(&wrong_type, 17, WireType::kVarint);
  PutVarint64(&wrong_type, 1);
  EXPECT_EQ(FinalityOf(window, wrong_type, false, never),
            Finality::kProvisional);
}

}  // namespace
}  // namespace tidegate
