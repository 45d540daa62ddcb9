#include "cmd/tidegate/table.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

TEST(TableTest, AlignsNumbersRightAndTextLeft) {
  EXPECT_EQ(FormatTable({"name", "n"}, {{"a", "1"}, {"bcdef", "1234"}}),
            "name   n\n"
            "-----  ----\n"
            "a         1\n"
            "bcdef  1234\n");
}

TEST(TableTest, WidthCountsCharactersNotBytes) {
  EXPECT_EQ(DisplayWidth("é🚢"), 2u);
  EXPECT_EQ(FitCell("é", 3), "é  ");
  EXPECT_EQ(FitCell("éééé", 3), "éé…");
  EXPECT_EQ(FitCell("abc", 0), "");
}

TEST(TableTest, ControlCharactersDoNotReachTheTerminal) {
  EXPECT_EQ(FitCell("a\n\x1b[2Jb", 7), "a  [2Jb");
}

TEST(TableTest, LongCellsAndLinesAreCutOff) {
  const std::string table = FormatTable({"c"}, {{std::string(100, 'x')}});
  EXPECT_NE(table.find(std::string(kMaxCellWidth - 1, 'x') + "…"),
            std::string::npos);
  EXPECT_EQ(FormatTable({"abc", "def"}, {{"x", "y"}}, 6),
            "abc  d\n---  -\nx    y\n");
}

TEST(TableTest, ShortRowsAreFilled) {
  EXPECT_EQ(FormatTable({"a", "b"}, {{"x"}, {}}), "a  b\n-  -\nx\n\n");
}

}  // namespace
}  // namespace tidegate
