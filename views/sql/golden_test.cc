// Compares the exact text of errors with testdata/errors_*.txt. A case is
//   ### SQL, over one or more lines
//   --- (the text printed)
// and is compiled in front of the definitions of kPrelude. \xNN is a byte.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

constexpr char kPrelude[] =
    R"sql(CREATE SOURCE orders (order_id VARCHAR, driver_id BIGINT, region VARCHAR,
  amount DOUBLE PRECISION, n INT, ok BOOLEAN, ts TIMESTAMPTZ)
  WITH (topic = 'orders') FORMAT PLAIN ENCODE JSON;
CREATE TABLE drivers (driver_id BIGINT PRIMARY KEY, name VARCHAR)
  WITH (topic = 'drivers') FORMAT UPSERT ENCODE JSON;
CREATE TABLE prices (a INT, b VARCHAR, price BIGINT, PRIMARY KEY (a, b))
  WITH (topic = 'prices') FORMAT UPSERT ENCODE JSON KEY ENCODE JSON;
CREATE SOURCE clicks (uid VARCHAR, page INT, ms BIGINT, at TIMESTAMPTZ,
  seen TIMESTAMPTZ, WATERMARK FOR at AS at - INTERVAL '2' SECOND)
  WITH (topic = 'clicks') FORMAT PLAIN ENCODE JSON;
CREATE TABLE pages (page INT PRIMARY KEY, title VARCHAR, since TIMESTAMPTZ,
  WATERMARK FOR since AS since) WITH (topic = 'pages')
  FORMAT UPSERT ENCODE JSON;
)sql";

struct Case {
  std::string sql;
  std::string expected;
};

std::vector<Case> ReadCases(const std::string& name) {
  std::ifstream file(absl::StrCat(TIDEGATE_SQL_TESTDATA, "/", name));
  EXPECT_TRUE(file.is_open()) << name;
  std::stringstream text;
  text << file.rdbuf();
  std::vector<Case> cases;
  for (absl::string_view part :
       absl::StrSplit(text.str(), "### ", absl::SkipEmpty())) {
    std::pair<std::string, std::string> halves =
        absl::StrSplit(part, absl::MaxSplits("---\n", 1));
    cases.push_back(Case{halves.first, halves.second});
  }
  return cases;
}

class GoldenTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTest, ErrorsAreExactly) {
  std::vector<Case> cases = ReadCases(GetParam());
  EXPECT_GE(cases.size(), 9u);
  for (const Case& test : cases) {
    std::string sql;
    size_t escape = test.sql.find("\\x");
    if (escape == std::string::npos) {
      sql = test.sql;
    } else {
      ASSERT_TRUE(absl::CUnescape(test.sql, &sql)) << test.sql;
    }
    std::string text = absl::StrCat(sql, kPrelude);
    CompileResult result = CompileViews(text);
    EXPECT_FALSE(result.ok()) << test.sql;
    EXPECT_EQ(FormatDiagnostics("v.sql", text, result.diagnostics),
              test.expected)
        << test.sql;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, GoldenTest,
    testing::Values("errors_function.txt", "errors_syntax.txt",
                    "errors_source.txt", "errors_format.txt", "errors_view.txt",
                    "errors_window.txt", "errors_event_time.txt"));

TEST(PreludeTest, IsGood) {
  CompileResult result = CompileViews(kPrelude);
  EXPECT_EQ(FormatDiagnostics("v.sql", kPrelude, result.diagnostics), "");
}

}  // namespace
}  // namespace tidegate
