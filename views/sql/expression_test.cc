#include "views/sql/expression.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

const std::vector<OutputColumn> kColumns = {{"region", Type::kVarchar},
                                            {"n", Type::kBigint}};

TEST(CompileFilterTest, EvaluatesOverTheViewsColumns) {
  struct Case {
    const char* text;
    bool expected;
  };
  const Case kCases[] = {
      {"region = 'north'", true},
      {"n > 7", false},
      {"n BETWEEN 1 AND 7 AND region LIKE 'n%'", true},
      {"NOT (region IN ('south', 'north'))", false},
      {"true", true},
      {"upper(region) = 'NORTH' AND abs(n) = length('1234567')", true},
  };
  const Datum row[] = {Datum::Text("north"), Datum::Int(7)};
  for (const Case& test : kCases) {
    std::vector<Diagnostic> errors;
    absl::StatusOr<Expr> expr = CompileFilter(test.text, kColumns, &errors);
    ASSERT_TRUE(expr.ok()) << test.text << ": " << expr.status();
    EXPECT_TRUE(errors.empty());
    TextArena arena;
    Datum result;
    ASSERT_TRUE(Evaluate(*expr, row, &arena, &result).ok());
    EXPECT_EQ(result.b, test.expected) << test.text;
  }
}

TEST(CompileFilterTest, RefusesWhatIsNoCondition) {
  const char* const kCases[][2] = {
      {"",
       "filter: expected an expression, found the end of the text, at "
       "character 1"},
      {"n", "filter: a filter needs a BOOLEAN, found BIGINT, at character 1"},
      {"regio = 'x'",
       "filter: unknown column \"regio\"; did you mean \"region\"?, at "
       "character 1"},
      {"count(*) > 1",
       "filter: aggregate count(…) is not allowed in a filter, at character "
       "1"},
      {"n > 1; DROP",
       "filter: expected the end of the expression, found "
       "\";\", at character 6"},
      {"v.n > 1", "filter: unknown table or alias \"v\", at character 1"},
  };
  for (const auto& test : kCases) {
    std::vector<Diagnostic> errors;
    absl::StatusOr<Expr> expr = CompileFilter(test[0], kColumns, &errors);
    EXPECT_EQ(expr.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(expr.status().message(), test[1]);
    EXPECT_FALSE(errors.empty());
    EXPECT_FALSE(CompileFilter(test[0], kColumns, nullptr).ok());
  }
}

TEST(CompileFilterTest, RefusesLongText) {
  std::string text(kMaxFilterBytes + 1, ' ');
  EXPECT_EQ(CompileFilter(text, kColumns, nullptr).status().message(),
            "filter: the filter is larger than 4096 bytes, at character 1");
}

}  // namespace
}  // namespace tidegate
