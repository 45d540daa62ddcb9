#include "views/sql/canonical.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

constexpr char kBase[] = R"sql(
CREATE SOURCE s (a INT, b VARCHAR, c INT) WITH (topic = 't', key = 'b')
  FORMAT PLAIN ENCODE JSON;
CREATE TABLE d (k INT PRIMARY KEY, name VARCHAR) WITH (topic = 'd')
  FORMAT UPSERT ENCODE JSON;
CREATE MATERIALIZED VIEW v (PRIMARY KEY (b)) AS
  SELECT b, a + 1 AS x, name FROM s
  JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON a = k WHERE b <> 'X';
)sql";

std::string Canonical(const std::string& text) {
  CompileResult result = CompileViews(text);
  EXPECT_EQ(FormatDiagnostics("v.sql", text, result.diagnostics), "");
  for (const ViewPlan& view : result.plans.views) {
    if (view.name == "v") return view.canonical;
  }
  return "";
}

std::string Replace(std::string text, const std::string& from,
                    const std::string& to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(CanonicalTest, TextOfAView) {
  EXPECT_EQ(Canonical(kBase),
            "create materialized view v ( primary key ( b ) ) as select b , a "
            "+ 1 as x , name from s join d for system_time as of proctime ( ) "
            "on a = k where b <> 'X'\n"
            "create source s ( a int , b varchar ) with ( topic = 't' ) format "
            "plain encode json\n"
            "create table d ( k int primary key , name varchar ) with ( topic "
            "= 'd' ) format upsert encode json");
}

TEST(CanonicalTest, WhatDoesNotChangeRowsDoesNotChangeIt) {
  const char* const kSame[][2] = {
      {"SELECT b, a + 1 AS x", "select  B,\n a+1 as \"x\" -- comment\n"},
      {"<>", "!="},
      {"topic = 't'",
       "idle.timeout = '1s', dead.letter.topic = 'q', "
       "topic = 't'"},
      {", key = 'b'", ""},
      {"c INT)", "c INT, more BIGINT)"},
      {", c INT)", ")"},
      {"(PRIMARY KEY (b)) AS",
       "(PRIMARY KEY (b)) WITH (pipeline = 'other') AS"},
      {"CREATE SOURCE s", "/* the source */ CREATE SOURCE S"},
  };
  for (const auto& change : kSame) {
    EXPECT_EQ(Canonical(Replace(kBase, change[0], change[1])), Canonical(kBase))
        << change[1];
  }
}

TEST(CanonicalTest, WhatChangesRowsChangesIt) {
  const char* const kOther[][2] = {
      {"a + 1", "a + 2"},
      {"'X'", "'x'"},
      {"topic = 't'", "topic = 'u'"},
      {"topic = 'd'", "topic = 'e'"},
      {"a INT", "a BIGINT"},
      {"PLAIN ENCODE JSON",
       "PLAIN ENCODE PROTOBUF (message = 'm', file = 'f')"},
      {"UPSERT ENCODE JSON", "UPSERT ENCODE JSON KEY ENCODE JSON"},
      {"JOIN d", "LEFT JOIN d"},
      {"topic = 't'", "topic = 't', max.future.skew = '1h'"},
  };
  for (const auto& change : kOther) {
    std::string text = Replace(kBase, change[0], change[1]);
    if (std::string(change[0]) == "a INT")
      text = Replace(text, "k INT", "k BIGINT");
    EXPECT_NE(Canonical(text), Canonical(kBase)) << change[1];
  }
}

}  // namespace
}  // namespace tidegate
