#include "base/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

TEST(Utf8Test, SequenceLengths) {
  EXPECT_EQ(Utf8SequenceLength(""), 0u);
  EXPECT_EQ(Utf8SequenceLength("ab"), 1u);
  EXPECT_EQ(Utf8SequenceLength("\xc3\xa4x"), 2u);
  EXPECT_EQ(Utf8SequenceLength("\xe2\x82\xac"), 3u);
  EXPECT_EQ(Utf8SequenceLength("\xf0\x9f\x9a\x95"), 4u);
}

TEST(Utf8Test, RefusesWhatUnicodeExcludes) {
  const char* const kBad[] = {
      "\x80",              // continuation alone
      "\xc0\xaf",          // overlong
      "\xc1\xbf",          // overlong
      "\xe0\x9f\xbf",      // overlong
      "\xed\xa0\x80",      // surrogate
      "\xf0\x8f\xbf\xbf",  // overlong
      "\xf4\x90\x80\x80",  // beyond U+10FFFF
      "\xf5\x80\x80\x80",  // no such lead byte
      "\xe2\x82",          // cut off
      "\xe2\x82x",         // broken off
      "\xff",
  };
  for (const char* bad : kBad) {
    EXPECT_EQ(Utf8SequenceLength(bad), 0u) << bad;
    EXPECT_FALSE(IsValidUtf8(bad));
    EXPECT_FALSE(IsValidUtf8(std::string("0123456789") + bad + "0123456789"));
  }
}

TEST(Utf8Test, AcceptsEdgesOfTheRanges) {
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8(
      "ascii and more than eight bytes \xc2\x80 \xdf\xbf \xe0\xa0\x80 "
      "\xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf \xf0\x90\x80\x80 "
      "\xf4\x8f\xbf\xbf"));
}

}  // namespace
}  // namespace tidegate
