#include "base/suggest.h"

#include "gtest/gtest.h"

namespace tidegate {
namespace {

TEST(SuggestTest, FindsTheNearest) {
  const std::vector<std::string> names = {"amount", "region", "driver_id",
                                          "ts"};
  const struct {
    const char* word;
    const char* nearest;
  } kCases[] = {
      {"amout", "amount"},        // a letter lost
      {"amuont", "amount"},       // two swapped
      {"REGION", "region"},       // case
      {"driverid", "driver_id"},  // an underscore lost
      {"tss", "ts"},              // a letter more
      {"x", ""},                  // nothing of it left
      {"customer", ""},
      {"", ""},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(Nearest(test.word, names), test.nearest) << test.word;
  }
}

TEST(SuggestTest, SwapCountsAsOne) { EXPECT_EQ(Nearest("ab", {"ba"}), "ba"); }

TEST(SuggestTest, NothingToChooseFrom) { EXPECT_EQ(Nearest("word", {}), ""); }

TEST(SuggestTest, VeryLongWordsAreNotCompared) {
  const std::string longer(100'000, 'a');
  EXPECT_EQ(Nearest(longer, {longer}), "");
}

TEST(SuggestTest, Phrase) {
  EXPECT_EQ(DidYouMean("amout", {"amount"}), ", did you mean \"amount\"?");
  EXPECT_EQ(DidYouMean("zzz", {"amount"}), "");
}

}  // namespace
}  // namespace tidegate
