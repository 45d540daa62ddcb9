#include "views/plan/like.h"

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

TEST(LikeTest, Examples) {
  const struct {
    const char* text;
    const char* pattern;
    bool matches;
  } kCases[] = {
      {"", "", true},
      {"", "%", true},
      {"", "_", false},
      {"a", "", false},
      {"abc", "abc", true},
      {"abc", "ab", false},
      {"abc", "a%", true},
      {"abc", "%c", true},
      {"abc", "%b%", true},
      {"abc", "a_c", true},
      {"abc", "__", false},
      {"abc", "_%_%_", true},
      {"aab", "%ab", true},
      {"abababac", "%abac", true},
      {"mississippi", "m%iss%ppi", true},
      {"mississippi", "m%iss%ppx", false},
      // One code point, of two and of four bytes.
      {"\xc3\xa4", "_", true},
      {"\xc3\xa4", "__", false},
      {"x\xf0\x9f\x9a\x95y", "x_y", true},
      {"\xc3\xa4\xc3\xb6", "%_", true},
      {"\xc3\xa4", "%__", false},
      // The escape character.
      {"50%", "50\\%", true},
      {"50x", "50\\%", false},
      {"a_b", "a\\_b", true},
      {"axb", "a\\_b", false},
      {"a\\b", "a\\\\b", true},
      {"abc", "A%", false},
  };
  for (const auto& test : kCases) {
    ASSERT_TRUE(IsLikePattern(test.pattern, "\\"));
    EXPECT_EQ(Like(test.text, test.pattern, "\\"), test.matches)
        << test.text << " LIKE " << test.pattern;
  }
}

TEST(LikeTest, AnyEscapeOrNone) {
  EXPECT_TRUE(Like("50%", "50!%", "!"));
  EXPECT_TRUE(Like("50%", "50\xe2\x82\xac%", "\xe2\x82\xac"));
  EXPECT_TRUE(Like("a\\x", "a\\%", ""));
  EXPECT_TRUE(Like("a%", "a%%", "%"));
  EXPECT_FALSE(Like("ab", "a%%", "%"));
  EXPECT_TRUE(IsLikePattern("a\\", ""));
  EXPECT_FALSE(IsLikePattern("a\\", "\\"));
  EXPECT_TRUE(IsLikePattern("a\\\\", "\\"));
}

// The definition, by recursion, over single bytes.
bool Naive(absl::string_view text, absl::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '%') {
    return Naive(text, pattern.substr(1)) ||
           (!text.empty() && Naive(text.substr(1), pattern));
  }
  return !text.empty() && (pattern[0] == '_' || pattern[0] == text[0]) &&
         Naive(text.substr(1), pattern.substr(1));
}

TEST(LikeTest, EqualsItsDefinition) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  const auto word = [&random](absl::string_view letters, size_t max) {
    std::string out;
    for (size_t n = random() % (max + 1); n > 0; --n) {
      out += letters[random() % letters.size()];
    }
    return out;
  };
  int matches = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = word("ab", 8);
    const std::string pattern = word("ab%_", 6);
    const bool expected = Naive(text, pattern);
    matches += expected;
    EXPECT_EQ(Like(text, pattern, ""), expected) << text << " " << pattern;
  }
  EXPECT_GT(matches, 100);
}

TEST(LikeTest, ManyWildcardsStayPolynomial) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "%a";
  EXPECT_FALSE(Like(std::string(20'000, 'a'), pattern + "b", ""));
}

TEST(LikeTest, GivesUpAfterSoManySteps) {
  // 'a%b' of "axxb": a, %, b at each x and at b, and the end.
  uint64_t steps = 6;
  EXPECT_TRUE(Like("axxb", "a%b", "", &steps));
  EXPECT_EQ(steps, 1u);
  steps = 5;
  EXPECT_FALSE(Like("axxb", "a%b", "", &steps));
  EXPECT_EQ(steps, 0u);
}

}  // namespace
}  // namespace tidegate
