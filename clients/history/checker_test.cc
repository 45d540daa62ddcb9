#include "clients/history/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The words histories are written in here; each makes one line.
std::string Connect(const std::string& token = "") {
  return absl::StrCat(R"({"marker":"connect","view":"v","resume":)",
                      token.empty() ? "null" : "\"" + token + "\"", "}");
}
std::string Upsert(int key, int value, const std::string& finality = "") {
  return absl::StrCat(
      R"({"op":"upsert","key":{"k":)", key, R"(},"row":{"k":)", key, R"(,"v":)",
      value, "}",
      finality.empty() ? "" : absl::StrCat(R"(,"finality":")", finality, "\""),
      "}");
}
std::string Deleted(int key) {
  return absl::StrCat(R"({"op":"deleted","key":{"k":)", key, "}}");
}
std::string Position(int seq) {
  return absl::StrCat(
      R"("position":{"incarnation":"i","partitions":[{"partition":0,"seq":)",
      seq, "}]}");
}
// Tokens are named after positions: "t7".
std::string End(int seq, const std::string& more = "") {
  return absl::StrCat(R"({"marker":"snapshot_end",)", Position(seq),
                      R"(,"token":"t)", seq, "\"", more, "}");
}
std::string Progress(int from, int to, const std::string& more = "") {
  return absl::StrCat(
      R"({"marker":"progress","ranges":[{"partition":0,"from":)", from,
      R"(,"to":)", to, "}],", Position(to), R"(,"token":"t)", to, "\"", more,
      "}");
}
std::string Reset(const std::string& cause) {
  return absl::StrCat(R"({"marker":"reset","cause":")", cause, R"("})");
}
std::string Drain(const std::string& token) {
  return absl::StrCat(R"({"marker":"drain","token":")", token, R"("})");
}
std::string Watermark(int second) {
  return absl::StrCat(R"(,"watermark":"2013-01-01T00:00:0)", second, "Z\"");
}

using Lines = std::vector<std::string>;

Checker Check(const Lines& lines, StateBook* book = nullptr) {
  Checker checker("h", book);
  int number = 0;
  for (const std::string& line : lines) checker.AddLine(line, ++number);
  return checker;
}

// A blameless history with everything in it.
Lines GoodHistory() {
  return {Connect(),       Upsert(1, 10),
          Upsert(2, 20),   End(5, Watermark(1)),
          Upsert(1, 11),   Deleted(2),
          Progress(5, 7),  Progress(7, 9, Watermark(2)),
          Connect("t9"),   Upsert(3, 30),
          Progress(9, 12), Drain("t12"),
          Connect("t12"),  Progress(12, 12),
          Upsert(3, 31),   Progress(12, 13),
          Connect("t13"),  Reset("HISTORY_TRIMMED"),
          Upsert(3, 32),   End(40),
          Progress(40, 41)};
}

TEST(CheckerTest, GoodHistoryHasNoViolation) {
  StateBook book;
  const Checker checker = Check(GoodHistory(), &book);
  EXPECT_THAT(checker.violations(), IsEmpty());
  EXPECT_EQ(checker.counts().violations, 0);
  EXPECT_EQ(checker.counts().deltas, 4);
  EXPECT_EQ(checker.counts().resumes, 3);
  EXPECT_EQ(checker.counts().resets, 1);
  EXPECT_EQ(checker.counts().snapshots, 2);
  EXPECT_EQ(checker.rows().size(), 1u);
  EXPECT_EQ(checker.position()->seqs.at(0), 41u);
}

TEST(CheckerTest, EmptySnapshotAndUnfinishedEndAreFine) {
  EXPECT_THAT(
      Check({Connect(), End(0), Progress(0, 1), Upsert(1, 1)}).violations(),
      IsEmpty());
  // A snapshot that was cut off before its first token starts over.
  EXPECT_THAT(Check({Connect(), Upsert(1, 1), Connect(), Upsert(1, 1), End(3)})
                  .violations(),
              IsEmpty());
}

TEST(CheckerTest, AClientWithKeysThatWasFarBehindHearsOfRowsItNeverHad) {
  const std::string keyed =
      R"({"marker":"connect","view":"v","keys":[{"k":1}],"resume":null})";
  EXPECT_THAT(Check({keyed, End(5), Deleted(1), Progress(5, 262)}).violations(),
              IsEmpty());
  for (const Lines& lines :
       {Lines{keyed, End(5), Deleted(1), Progress(5, 261)},
        Lines{Connect(), End(5), Deleted(1), Progress(5, 262)}}) {
    EXPECT_THAT(Check(lines).violations(),
                Contains(HasSubstr("a row that was not there is gone")));
  }
}

TEST(CheckerTest, SnapshotIsResumedInTheMiddle) {
  const Checker checker =
      Check({Connect(), Upsert(1, 1),
             R"({"marker":"progress","snapshot":true,"token":"m1"})",
             Connect("m1"), Upsert(2, 2), End(3)});
  EXPECT_THAT(checker.violations(), IsEmpty());
  EXPECT_EQ(checker.rows().size(), 2u);
}

TEST(CheckerTest, SnapshotMovesToANewerPosition) {
  const std::string connect =
      absl::StrCat(R"({"marker":"connect","resume":null,)", Position(5), "}");
  const Lines repeated = {connect, Upsert(1, 1), Upsert(2, 2), Upsert(1, 3),
                          Deleted(2)};
  Lines moved = repeated;
  moved.push_back(End(7));
  EXPECT_THAT(Check(moved).violations(), IsEmpty());
  Lines stayed = repeated;
  stayed.push_back(End(5));
  EXPECT_EQ(Check(stayed).counts().violations, 2);
}

TEST(CheckerTest, RowsBecomeFinalAndAreCorrected) {
  const Lines history = {
      Connect(),
      Upsert(1, 10, "provisional"),
      Upsert(2, 20, "final"),
      End(5, Watermark(1)),
      Upsert(1, 11, "provisional"),
      Upsert(2, 20, "final"),  // as it was
      Progress(5, 6, Watermark(2)),
      Upsert(1, 12, "final"),
      Upsert(2, 21, "corrected"),
      Upsert(3, 30, "corrected"),  // a window that had no row when it closed
      Progress(6, 7, Watermark(2)),
      Connect("t7"),
      Upsert(1, 12, "corrected"),  // a late event that left it as it was
      Upsert(2, 22, "corrected"),
      Deleted(3),
      Progress(7, 8, Watermark(3)),
      Upsert(3, 31, "provisional"),  // another row
      Progress(8, 9, Watermark(3)),
      Connect("t9"),
      Reset("UNKNOWN_INCARNATION"),
      Upsert(1, 9, "provisional"),
      End(3, Watermark(1)),
  };
  EXPECT_THAT(Check(history).violations(), IsEmpty());
}

TEST(CheckerTest, ASnapshotThatMovesOnMayTakeFinalityBack) {
  const std::string chunk =
      absl::StrCat(R"({"marker":"progress","snapshot":true,"token":"m1")",
                   Watermark(2), "}");
  EXPECT_THAT(Check({Connect(), Upsert(1, 1, "final"), chunk, Connect("m1"),
                     Upsert(1, 0, "provisional"), Upsert(1, 1, "final"),
                     End(9, Watermark(2))})
                  .violations(),
              IsEmpty());
}

struct Planted {
  const char* name;
  const char* invariant;
  int line;
  Lines history;
};

class PlantedFaultTest : public ::testing::TestWithParam<Planted> {};

TEST_P(PlantedFaultTest, IsFound) {
  const Planted& planted = GetParam();
  const Checker checker = Check(planted.history);
  ASSERT_EQ(checker.counts().violations, 1)
      << ::testing::PrintToString(checker.violations());
  EXPECT_THAT(checker.violations()[0],
              HasSubstr(absl::StrCat("h:", planted.line, ": ",
                                     planted.invariant, ":")));
}

INSTANTIATE_TEST_SUITE_P(
    Invariants, PlantedFaultTest,
    ::testing::ValuesIn(std::vector<Planted>{
        {"BackwardRange",
         "ordered",
         3,
         {Connect(), End(5),
          R"({"marker":"progress","ranges":[{"partition":0,"from":5,"to":4}]})"}},
        {"PositionElsewhere",
         "ordered",
         3,
         {Connect(), End(5),
          R"({"marker":"progress","ranges":[{"partition":0,"from":5,"to":6}],)" +
              Position(7) + "}"}},
        {"RepeatedRange",
         "unique",
         4,
         {Connect(), End(5), Progress(5, 7), Progress(6, 8)}},
        {"KeyTwiceInBatch",
         "unique",
         4,
         {Connect(), End(5), Upsert(1, 1), Upsert(1, 2), Progress(5, 6)}},
        {"KeyTwiceInSnapshot",
         "unique",
         3,
         {Connect(), Upsert(1, 1), Upsert(1, 1), End(5)}},
        {"Gap", "reliable", 3, {Connect(), End(5), Progress(6, 8)}},
        {"ClientFoundGap",
         "reliable",
         3,
         {Connect(), End(5), R"({"marker":"error","detail":"gap"})"}},
        {"ChangesWithoutProgress",
         "atomic",
         4,
         {Connect(), End(5), Upsert(1, 1), Connect("t5"), Progress(5, 6)}},
        {"ChangesBeforeDrain",
         "atomic",
         4,
         {Connect(), End(5), Upsert(1, 1), Drain("t5")}},
        {"ChangesInEmptyRange",
         "atomic",
         4,
         {Connect(), End(5), Upsert(1, 1), Progress(5, 5)}},
        {"ResumedTooEarly",
         "resumable",
         5,
         {Connect(), End(5), Progress(5, 7), Connect("t7"), Progress(5, 9)}},
        {"ResumedTooLate",
         "resumable",
         4,
         {Connect(), End(5), Connect("t5"), Progress(6, 9)}},
        {"ResumedFromOldToken",
         "resumable",
         4,
         {Connect(), End(5), Progress(5, 7), Connect("t5"), Progress(5, 8)}},
        {"StartedOver", "resumable", 3, {Connect(), End(5), Connect(), End(9)}},
        {"TwoEnds",
         "snapshot-end",
         4,
         {Connect(), End(5), Progress(5, 6), End(6)}},
        {"NoEnd", "snapshot-end", 3, {Connect(), Upsert(1, 1), Progress(5, 6)}},
        {"DeletionInSnapshot",
         "snapshot-end",
         2,
         {Connect(), Deleted(1), End(5)}},
        {"EndWithoutPosition",
         "state",
         2,
         {Connect(), R"({"marker":"snapshot_end","token":"x"})"}},
        {"DeletedUnknownRow",
         "state",
         4,
         {Connect(), Upsert(1, 1), End(5), Deleted(2), Progress(5, 6)}},
        {"SilentSnapshot",
         "explicit-reset",
         4,
         {Connect(), End(5), Connect("t5"), End(50)}},
        {"ResetWithoutCause",
         "explicit-reset",
         3,
         {Connect(), End(5), Reset(""), End(9)}},
        {"WatermarkBack",
         "watermark",
         4,
         {Connect(), End(5, Watermark(3)), Progress(5, 6, Watermark(4)),
          Progress(6, 7, Watermark(3))}},
        {"WatermarkBackAfterResume",
         "watermark",
         4,
         {Connect(), End(5, Watermark(3)), Connect("t5"),
          Progress(5, 7, Watermark(2))}},
        {"WatermarkBackInSnapshot",
         "watermark",
         5,
         {Connect(), Upsert(1, 1),
          R"({"marker":"progress","snapshot":true,"token":"m1")" +
              Watermark(3) + "}",
          Upsert(2, 1), End(5, Watermark(2))}},
        {"WatermarkBackInAChunk",
         "watermark",
         6,
         {Connect(), Upsert(1, 1),
          R"({"marker":"progress","snapshot":true,"token":"m1")" +
              Watermark(3) + "}",
          Connect("m1"), Upsert(2, 1),
          R"({"marker":"progress","snapshot":true,"token":"m2")" +
              Watermark(2) + "}",
          End(5, Watermark(3))}},
        {"WatermarkBackAfterTrimming",
         "watermark",
         5,
         {Connect(), End(5, Watermark(3)), Connect("t5"),
          Reset("HISTORY_TRIMMED"), End(9, Watermark(2))}},
        {"FinalRowChanged",
         "final",
         4,
         {Connect(), Upsert(1, 1, "final"), End(5, Watermark(1)),
          Upsert(1, 2, "final"), Progress(5, 6)}},
        {"FinalRowChangedAcrossAResume",
         "final",
         5,
         {Connect(), Upsert(1, 1, "final"), End(5, Watermark(1)), Connect("t5"),
          Upsert(1, 2, "final"), Progress(5, 6)}},
        {"FinalThenProvisional",
         "final",
         4,
         {Connect(), Upsert(1, 1, "final"), End(5, Watermark(1)),
          Upsert(1, 1, "provisional"), Progress(5, 6)}},
        {"FinalThenChangedAndProvisional",
         "final",
         4,
         {Connect(), Upsert(1, 1, "final"), End(5, Watermark(1)),
          Upsert(1, 2, "provisional"), Progress(5, 6)}},
        {"CorrectedThenFinal",
         "final",
         4,
         {Connect(), Upsert(1, 1, "corrected"), End(5, Watermark(1)),
          Upsert(1, 2, "final"), Progress(5, 6)}},
        {"FinalityIsLost",
         "final",
         4,
         {Connect(), Upsert(1, 1, "provisional"), End(5, Watermark(1)),
          Upsert(1, 2), Progress(5, 6)}},
        {"FinalWithoutAWatermark",
         "final",
         3,
         {Connect(), Upsert(1, 1, "final"), End(5)}},
        {"FinalDeltaWithoutAWatermark",
         "final",
         4,
         {Connect(), End(5), Upsert(1, 1, "corrected"), Progress(5, 6)}},
        {"DrainElsewhere",
         "drain",
         4,
         {Connect(), End(5), Progress(5, 9), Drain("t5"), Connect("t5"),
          Progress(5, 10)}},
        {"DrainWithoutToken", "drain", 3, {Connect(), End(5), Drain("")}},
        {"NotConnected", "readable", 1, {End(5)}},
        {"Unreadable", "readable", 3, {Connect(), End(5), "{"}},
    }),
    [](const auto& info) { return std::string(info.param.name); });

TEST(CheckerTest, DrainTokenIgnored) {
  const Checker checker =
      Check({Connect(), End(5), Drain("fresh"), Connect("t5"), Progress(5, 6)});
  ASSERT_FALSE(checker.violations().empty());
  EXPECT_THAT(checker.violations()[0], HasSubstr("h:4: drain:"));
}

TEST(CheckerTest, HistoriesDisagreeAboutOnePosition) {
  StateBook book;
  EXPECT_EQ(Check({Connect(), Upsert(1, 1), End(5)}, &book).counts().violations,
            0);
  EXPECT_EQ(Check({Connect(), End(4), Upsert(1, 1), Progress(4, 5)}, &book)
                .counts()
                .violations,
            0);
  const Checker other = Check({Connect(), Upsert(1, 2), End(5)}, &book);
  ASSERT_EQ(other.counts().violations, 1);
  EXPECT_THAT(other.violations()[0], HasSubstr("h:3: state:"));
}

TEST(CheckerTest, FinalStateIsCompared) {
  std::map<std::string, std::string> rows = {
      {R"({"k":3})", R"({"k":3,"v":32})"}};
  Checker good = Check(GoodHistory());
  good.CompareFinal(rows);
  EXPECT_THAT(good.violations(), IsEmpty());

  rows[R"({"k":3})"] = R"({"k":3,"v":33})";
  rows[R"({"k":4})"] = R"({"k":4,"v":1})";
  Checker stale = Check(GoodHistory());
  stale.CompareFinal(rows);
  EXPECT_EQ(stale.counts().violations, 2);
}

TEST(CheckerTest, RowOutlivesAnAbsence) {
  Checker checker =
      Check({Connect(), Upsert(1, 1), End(5), Connect("t5"), Progress(5, 90)});
  EXPECT_THAT(checker.violations(), IsEmpty());
  checker.CompareFinal({});
  ASSERT_EQ(checker.counts().violations, 1);
  EXPECT_THAT(checker.violations()[0], HasSubstr("no-resurrection"));
}

TEST(CheckerTest, TextsAreBoundedAndCountsAreNot) {
  Lines lines = {Connect(), End(5)};
  for (size_t i = 0; i < Checker::kMaxViolationTexts + 10; ++i) {
    lines.push_back(Progress(1, 2));
    lines.push_back(Progress(5, 5));
  }
  const Checker checker = Check(lines);
  EXPECT_EQ(checker.violations().size(), Checker::kMaxViolationTexts);
  EXPECT_GT(checker.counts().violations,
            static_cast<int64_t>(Checker::kMaxViolationTexts));
}

}  // namespace
}  // namespace tidegate
