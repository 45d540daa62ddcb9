#include "views/sql/lexer.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace tidegate::sql {
namespace {

// "n:name q:quoted s:string i:1 d:1.5 y:<= b:"
std::string Show(absl::string_view text, Reporter* reporter) {
  std::vector<std::string> parts;
  for (const Token& token : Lex(text, reporter)) {
    if (token.kind == TokenKind::kEnd) continue;
    char kind = "enqsidyb"[static_cast<int>(token.kind)];
    parts.push_back(absl::StrCat(std::string(1, kind), ":", token.text));
  }
  return absl::StrJoin(parts, " ");
}

TEST(LexerTest, SplitsTokens) {
  struct Case {
    const char* text;
    const char* expected;
  };
  const Case kCases[] = {
      {"", ""},
      {"Select A_1", "n:select n:a_1"},
      {"\"Select\" \"a\"\"b\"", "q:Select q:a\"b"},
      {"'it''s' ''", "s:it's s:"},
      {"1 23 1.5 .5 2. 1e3 1E-3", "i:1 i:23 d:1.5 d:.5 d:2. d:1e3 d:1e-3"},
      {"a.b o.*", "n:a y:. n:b n:o y:. y:*"},
      {"a<=b>=c<>d!=e||f::g",
       "n:a y:<= n:b y:>= n:c y:<> n:d y:<> n:e y:|| n:f y::: n:g"},
      {"a--b\nc", "n:a n:c"},
      {"a/*b/*c*/d*/e", "n:a n:e"},
      {"a- -b", "n:a y:- y:- n:b"},
      {"\xEF\xBB\xBF"
       "a",
       "n:a"},
      {"'ä€😀'", "s:ä€😀"},
      {"a\r\nb\tc", "n:a n:b n:c"},
  };
  for (const Case& test : kCases) {
    Reporter reporter(test.text);
    EXPECT_EQ(Show(test.text, &reporter), test.expected) << test.text;
    EXPECT_TRUE(reporter.Take().empty()) << test.text;
  }
}

TEST(LexerTest, ReportsWhatIsNoToken) {
  struct Case {
    std::string text;
    const char* tokens;
    int column;
    int length;
    const char* message;
  };
  const Case kCases[] = {
      {"a 'b", "n:a b:", 3, 2, "string is not closed"},
      {"a 'b\nc'd'", "n:a b: n:c s:d", 3, 2, "string is not closed"},
      {"\"b", "b:", 1, 2, "quoted name is not closed"},
      {"\"\"", "b:", 1, 2, "quoted name is empty"},
      {"a /* b", "n:a", 3, 2, "comment is not closed"},
      {"a $ b", "n:a b: n:b", 3, 1, "unexpected character \"$\""},
      {"é = ü", "b: y:= b:", 1, 1, "unexpected character \"é\""},
      {"12ab", "b:12ab", 1, 4, "not a number: 12ab"},
      {"é'\xff'", "b: b:\xff", 3, 1, "the file is not UTF-8 here: byte 0xff"},
      {"-- \xc3(\na", "n:a", 4, 1, "the file is not UTF-8 here: byte 0xc3"},
      {std::string("a\0b", 3), "n:a b: n:b", 2, 1, "unexpected character 0x00"},
  };
  for (const Case& test : kCases) {
    Reporter reporter(test.text);
    EXPECT_EQ(Show(test.text, &reporter), test.tokens) << test.text;
    std::vector<Diagnostic> errors = reporter.Take();
    ASSERT_FALSE(errors.empty()) << test.text;
    bool found = false;
    for (const Diagnostic& error : errors) {
      found =
          found || (error.message == test.message &&
                    error.column == test.column && error.length == test.length);
    }
    EXPECT_TRUE(found) << test.text << ": " << errors[0].message << " at "
                       << errors[0].column << "+" << errors[0].length;
  }
}

TEST(LexerTest, CanonicalTokensAreOneSpelling) {
  const char* const kCases[][2] = {
      {"SELECT", "select"},         {"\"region\"", "region"},
      {"\"Region\"", "\"Region\""}, {"\"order\"", "\"order\""},
      {"\"a b\"", "\"a b\""},       {"!=", "<>"},
      {"'it''s'", "'it''s'"},       {"1E5", "1e5"},
      {"\"1a\"", "\"1a\""},         {"\"a\"\"b\"", "\"a\"\"b\""},
  };
  for (const auto& test : kCases) {
    Reporter reporter(test[0]);
    std::vector<Token> tokens = Lex(test[0], &reporter);
    ASSERT_EQ(tokens.size(), 2u) << test[0];
    EXPECT_EQ(CanonicalToken(tokens[0]), test[1]);
  }
}

}  // namespace
}  // namespace tidegate::sql
