#include "views/sql/canonical.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
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
      {"topic = 't'", "dead.letter.topic = 'q', topic = 't'"},
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

constexpr char kIncluding[] = R"sql(
CREATE SOURCE s (a INT, b VARCHAR)
  INCLUDE KEY AS k INCLUDE HEADER 'trace-id' INCLUDE OFFSET WITH (topic = 't')
  FORMAT PLAIN
  ENCODE PROTOBUF (schema.registry = 'http://a:8081', message = 'm') OR JSON;
CREATE MATERIALIZED VIEW v AS
  SELECT k, kafka_header_trace_id AS h, count(a) FROM s GROUP BY k, 2;
)sql";

TEST(CanonicalTest, TextOfMetadataAndEncodings) {
  EXPECT_EQ(Canonical(kIncluding),
            "create materialized view v as select k , kafka_header_trace_id as "
            "h , count ( a ) from s group by k , 2\n"
            "create source s ( a int ) include key as k include header "
            "'trace-id' as kafka_header_trace_id with ( topic = 't' ) format "
            "plain encode json or protobuf ( message = 'm' , schema.registry "
            ")");
  const char* const kSame[][2] = {
      {"http://a:8081", "https://b"},
      {"INCLUDE HEADER 'trace-id'",
       "INCLUDE HEADER 'trace-id' AS \"kafka_header_trace_id\""},
      {"INCLUDE OFFSET", "INCLUDE TIMESTAMP"},
      {"INCLUDE OFFSET", ""},
      {"OR JSON", "OR JSON (schema.registry = 'http://a:8081')"},
      {"PROTOBUF (schema.registry = 'http://a:8081', message = 'm') OR JSON",
       "JSON OR PROTOBUF (message = 'm', schema.registry = 'http://c')"},
  };
  for (const auto& change : kSame) {
    EXPECT_EQ(Canonical(Replace(kIncluding, change[0], change[1])),
              Canonical(kIncluding))
        << change[1];
  }
  const char* const kOther[][2] = {
      {"'trace-id'", "'trace' AS kafka_header_trace_id"},
      {"KEY AS k", "HEADER 'k' AS k"},
      {"message = 'm'", "message = 'n'"},
      {"(schema.registry = 'http://a:8081', message = 'm')",
       "(file = 'm.proto', message = 'm')"},
  };
  for (const auto& change : kOther) {
    EXPECT_NE(Canonical(Replace(kIncluding, change[0], change[1])),
              Canonical(kIncluding))
        << change[1];
  }
}

// What was folded under fewer encodings is gone on with.
TEST(CanonicalTest, TextsWithFewerEncodings) {
  const auto before = [](const std::string& text) {
    CompileResult result = CompileViews(text);
    EXPECT_EQ(FormatDiagnostics("v.sql", text, result.diagnostics), "");
    return result.plans.views.empty()
               ? std::vector<std::string>()
               : result.plans.views.back().canonical_before;
  };
  EXPECT_TRUE(before(kBase).empty());
  const std::string json =
      "ENCODE PROTOBUF (schema.registry = "
      "'http://a:8081', message = 'm') OR JSON";
  EXPECT_THAT(before(kIncluding),
              testing::UnorderedElementsAre(
                  Canonical(Replace(kIncluding, json, "ENCODE JSON")),
                  Canonical(Replace(kIncluding, " OR JSON", ""))));
  // With the table's two, three times three less what it is itself.
  const std::string both = " OR AVRO (schema.registry = 'http://r')";
  const std::string one =
      Replace(kBase, "PLAIN ENCODE JSON", "PLAIN ENCODE JSON" + both);
  const std::string two =
      Replace(one, "UPSERT ENCODE JSON", "UPSERT ENCODE JSON" + both);
  EXPECT_EQ(before(one).size(), 2u);
  EXPECT_EQ(before(two).size(), 8u);
  EXPECT_THAT(before(two),
              testing::IsSupersetOf({Canonical(kBase), Canonical(one)}));
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
  };
  for (const auto& change : kOther) {
    std::string text = Replace(kBase, change[0], change[1]);
    if (std::string(change[0]) == "a INT")
      text = Replace(text, "k INT", "k BIGINT");
    EXPECT_NE(Canonical(text), Canonical(kBase)) << change[1];
  }
}

constexpr char kTimed[] = R"sql(
CREATE SOURCE s (a INT, at TIMESTAMPTZ, b INT,
  WATERMARK FOR at AS at - INTERVAL '2' SECOND) WITH (topic = 't')
  FORMAT PLAIN ENCODE JSON;
CREATE TABLE d (k INT PRIMARY KEY, at TIMESTAMPTZ,
  WATERMARK FOR at AS at - INTERVAL '3' SECOND) WITH (topic = 'd')
  FORMAT UPSERT ENCODE JSON;
)sql";

std::string Timed(const std::string& view) {
  return absl::StrCat(kTimed, "CREATE MATERIALIZED VIEW v ", view);
}

TEST(CanonicalTest, TextOfAWindow) {
  EXPECT_EQ(
      Canonical(Timed(
          "WITH (retention = '1h', pipeline = 'p', allowed.lateness = '1m') AS "
          "SELECT window_start, count(*) FROM TUMBLE(s, at, INTERVAL '1' HOUR) "
          "GROUP BY window_start EMIT ON WINDOW CLOSE")),
      "create materialized view v with ( allowed.lateness = '1m' , retention = "
      "'1h' ) as select window_start , count ( * ) from tumble ( s , at , "
      "interval '1' hour ) group by window_start emit on window close\n"
      "create source s ( at timestamptz , watermark for at as at - interval "
      "'2' second ) with ( topic = 't' ) format plain encode json");
}

// The bound decides which events are late: that matters only where some are.
TEST(CanonicalTest, TheWatermarksBoundCountsWhereTheWatermarkDoes) {
  const std::string joined = Timed(
      "(PRIMARY KEY (a)) AS SELECT a FROM s JOIN d FOR SYSTEM_TIME AS OF s.at "
      "AS d ON s.a = d.k");
  const std::string free[] = {
      Timed("(PRIMARY KEY (a)) AS SELECT a FROM s"),
      Timed("AS SELECT a, count(*) FROM s GROUP BY a"),
      Replace(joined, "s.at AS d", "PROCTIME() AS d"),
  };
  const std::string bound[] = {
      Timed("(PRIMARY KEY (a)) WITH (retention = '1h') AS SELECT a FROM s"),
      Timed("AS SELECT a, count(*) FROM SLIDING(s, at, INTERVAL '1' HOUR) "
            "GROUP BY a"),
      Timed("(PRIMARY KEY (a)) AS SELECT a, lag(a) OVER (PARTITION BY a ORDER "
            "BY at) AS b FROM s"),
      joined,
  };
  for (const std::string& text : free) {
    EXPECT_EQ(Canonical(Replace(text, "'2' SECOND", "'9' SECOND")),
              Canonical(text));
    EXPECT_EQ(
        Canonical(Replace(text, " AS at - INTERVAL '2' SECOND", " AS at")),
        Canonical(text));
    // Which event is the newest depends on the column.
    EXPECT_NE(Canonical(Replace(text,
                                ",\n  WATERMARK FOR at AS at - INTERVAL '2' "
                                "SECOND",
                                "")),
              Canonical(text));
    EXPECT_EQ(Canonical(Replace(text, "'3' SECOND", "'9' SECOND")),
              Canonical(text));
  }
  for (const std::string& text : bound) {
    EXPECT_NE(Canonical(Replace(text, "'2' SECOND", "'9' SECOND")),
              Canonical(text));
    EXPECT_EQ(Canonical(Replace(text, "topic = 't'",
                                "topic = 't', idle.advance = 'off', "
                                "idle.timeout = '1s'")),
              Canonical(text));
    // Which events are diverted depends on it.
    EXPECT_NE(Canonical(Replace(text, "topic = 't'",
                                "topic = 't', max.future.skew = '1h'")),
              Canonical(text));
  }
  EXPECT_NE(Canonical(Replace(joined, "'3' SECOND", "'9' SECOND")),
            Canonical(joined));
}

TEST(CanonicalTest, EmitOnUpdateIsTheDefault) {
  std::string view =
      "AS SELECT window_end, count(*) FROM HOP(s, at, INTERVAL '1' SECOND, "
      "INTERVAL '1' HOUR) GROUP BY window_end";
  std::string text = Timed(view);
  EXPECT_EQ(Canonical(text + " EMIT ON UPDATE"), Canonical(text));
  EXPECT_NE(Canonical(text + " EMIT ON WINDOW CLOSE"), Canonical(text));
  EXPECT_NE(Canonical(Replace(text, "v AS", "v WITH (retention = '1h') AS")),
            Canonical(text));
  EXPECT_NE(
      Canonical(Replace(text, "v AS", "v WITH (allowed.lateness = '1h') AS")),
      Canonical(text));
  EXPECT_NE(Canonical(Replace(text, "'1' HOUR)", "'1' MINUTE)")),
            Canonical(text));
}

}  // namespace
}  // namespace tidegate
