// No text makes the compiler crash, hang, or report an error outside of it.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

constexpr char kGood[] = R"sql(-- Orders, and the drivers' table.
CREATE SOURCE orders (
  order_id VARCHAR, driver_id BIGINT, "Région" VARCHAR, n INT, ok BOOLEAN,
  amount DOUBLE PRECISION, ts TIMESTAMP WITH TIME ZONE,
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (topic = 'orders', key = 'driver_id', idle.timeout = '5s',
        dead.letter.topic = 'orders.dlq')
  FORMAT PLAIN ENCODE PROTOBUF (message = 'shop.Order', file = 'x.proto');
/* a /* nested */ comment */
CREATE TABLE drivers (driver_id BIGINT, zone INT, name VARCHAR,
  PRIMARY KEY (driver_id, zone))
  WITH (topic = 'drivers') FORMAT UPSERT ENCODE JSON KEY ENCODE JSON;
CREATE MATERIALIZED VIEW totals WITH (pipeline = 'p') AS
  SELECT driver_id AS d, "Région" || '''x' AS r, count(*), sum(n) / 2 AS half,
    last_value(amount ORDER BY ts) AS last, avg(CASE WHEN ok THEN n END) AS a
  FROM orders WHERE n BETWEEN -1 AND 5 AND NOT ok IS NOT TRUE
    AND ts >= '2013-01-01' AND order_id NOT LIKE 'a!%%' ESCAPE '!'
  GROUP BY driver_id, r;
CREATE MATERIALIZED VIEW named (PRIMARY KEY (order_id)) AS
  SELECT o.order_id, d.name, CASE o.n WHEN 1 THEN 'x' ELSE d.name END AS c,
    coalesce(o.n, 1::INT, NULL) + 1.5 AS m, nullif(n, 3) AS k,
    CAST(amount AS VARCHAR) AS t, ts - INTERVAL '1 hour' AS before,
    n IN (1, 2, NULL) AS i, extract(day FROM ts) + length(d.name) AS f,
    substr(d.name, 1, greatest(n, 2)) AS p, date_trunc('hour', ts) AS h
  FROM orders AS o LEFT JOIN drivers FOR SYSTEM_TIME AS OF PROCTIME() AS d
    ON o.driver_id = d.driver_id AND d.zone = o.n;
CREATE TABLE rates (n INT PRIMARY KEY, r INT, at TIMESTAMPTZ, WATERMARK FOR at
  AS at) WITH (topic = 'r', idle.advance = 'off') FORMAT UPSERT ENCODE JSON;
CREATE SOURCE both (x INT) INCLUDE KEY INCLUDE TIMESTAMP AS t INCLUDE OFFSET
  INCLUDE HEADER 'h' AS "H" WITH (topic = 'b') FORMAT PLAIN ENCODE JSON
  OR AVRO (schema.registry = 'http://r:8081');
CREATE MATERIALIZED VIEW m WITH (retention = '1h', allowed.lateness = '1m') AS
  SELECT w.window_start, window_end AS e, count(*)
  FROM HOP(orders, ts, INTERVAL '1' SECOND, INTERVAL '1' HOUR,
    INTERVAL '-1' MINUTE) AS w GROUP BY window_start, e EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW s AS
  SELECT n, window_start, window_end, count(*)
  FROM SESSION(orders, ts, INTERVAL '5' MINUTE)
  GROUP BY n, window_start EMIT ON UPDATE;
CREATE MATERIALIZED VIEW l AS SELECT n, max(amount)
  FROM SLIDING(orders, ts, INTERVAL '1' HOUR) GROUP BY n;
CREATE MATERIALIZED VIEW k WITH (retention = '1d') AS
  SELECT o.n, o.n - lag(o.n, 2, 0) OVER (PARTITION BY ok, o.n + 1 ORDER BY ts) AS l
  FROM orders o JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON r.n = o.n;
)sql";

// Compiles, and checks that every error lies within the text.
CompileResult Compile(const std::string& text) {
  CompileResult result = CompileViews(text);
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  EXPECT_LE(result.diagnostics.size(), static_cast<size_t>(kMaxDiagnostics));
  for (const Diagnostic& d : result.diagnostics) {
    EXPECT_GE(d.line, 1);
    EXPECT_LE(d.line, static_cast<int>(lines.size()));
    EXPECT_GE(d.column, 1);
    EXPECT_GE(d.length, 1);
    EXPECT_FALSE(d.message.empty());
    if (d.line < 1 || d.line > static_cast<int>(lines.size())) continue;
    int bytes = static_cast<int>(lines[d.line - 1].size());
    EXPECT_LE(d.column, bytes + 1);
    EXPECT_LE(d.column + d.length, bytes + 2);
  }
  FormatDiagnostics("v.sql", text, result.diagnostics);
  return result;
}

TEST(RobustnessTest, TheGoodFileIsGood) {
  CompileResult result = Compile(kGood);
  EXPECT_EQ(FormatDiagnostics("v.sql", kGood, result.diagnostics), "");
  EXPECT_EQ(result.plans.views.size(), 8u);
}

TEST(RobustnessTest, EveryPrefix) {
  const std::string good = kGood;
  for (size_t size = 0; size < good.size(); ++size) {
    Compile(good.substr(0, size));
    if (testing::Test::HasFailure()) FAIL() << "prefix of " << size;
  }
}

TEST(RobustnessTest, EverySuffix) {
  const std::string good = kGood;
  for (size_t size = 0; size < good.size(); ++size) {
    Compile(good.substr(size));
    if (testing::Test::HasFailure()) FAIL() << "suffix from " << size;
  }
}

uint64_t Seed() {
  const char* set = std::getenv("TIDEGATE_SEED");
  uint64_t seed = 0;
  if (set != nullptr && absl::SimpleAtoi(set, &seed)) return seed;
  return std::random_device()();
}

std::string Mutate(const std::string& good, std::mt19937_64* random) {
  auto below = [&](size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(*random);
  };
  std::vector<std::string> words =
      absl::StrSplit(good, absl::ByAnyChar(" \n,()"), absl::SkipEmpty());
  words.insert(words.end(), {"(", ")", ",", ";", "'", "\"", "/*", "--", "*",
                             "\xff", "CREATE", "\xc3\xa9", "::", "."});
  std::string text = good;
  size_t edits = 1 + below(8);
  for (size_t i = 0; i < edits && !text.empty(); ++i) {
    size_t at = below(text.size());
    size_t length = std::min(text.size() - at, 1 + below(12));
    switch (below(5)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, absl::StrCat(" ", words[below(words.size())], " "));
        break;
      case 2:
        text.replace(at, length, words[below(words.size())]);
        break;
      case 3:
        text[at] = static_cast<char>(below(256));
        break;
      default: {
        std::string piece = text.substr(at, 1 + below(200));
        text.insert(below(text.size()), piece);
        break;
      }
    }
  }
  return text;
}

TEST(RobustnessTest, RandomMutations) {
  constexpr int kMutations = 5000;
  uint64_t seed = Seed();
  std::cout << "TIDEGATE_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  int with_errors = 0;
  for (int i = 0; i < kMutations; ++i) {
    std::string text = Mutate(kGood, &random);
    if (!Compile(text).ok()) ++with_errors;
    if (testing::Test::HasFailure()) {
      FAIL() << "seed " << seed << " mutation " << i << ":\n" << text;
    }
  }
  EXPECT_GT(with_errors, kMutations / 2);
}

std::string Repeat(absl::string_view part, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) absl::StrAppend(&out, part);
  return out;
}

// What is deep or long must end in time, with an error where there is a limit.
TEST(RobustnessTest, DeepAndLongExpressions) {
  struct Case {
    std::string expression;
    bool good;
  };
  std::string nested_case = "n";
  std::string nested_nullif = "n";
  for (int i = 0; i < 60; ++i) {
    nested_case =
        absl::StrCat("CASE ", nested_case, " WHEN 1 THEN 1 WHEN 2 THEN 2 END");
    nested_nullif = absl::StrCat("nullif(", nested_nullif, ", ", "n)");
  }
  const Case kCases[] = {
      {Repeat("(", 100) + "n" + Repeat(")", 100), true},
      {Repeat("(", 100000), false},
      {Repeat("(", 100000) + "n" + Repeat(")", 100000), false},
      {Repeat("- ", 100000) + "n", false},
      {"n" + Repeat(" + n", 150), true},
      {"n" + Repeat(" + n", 100000), false},
      {Repeat("NOT ", 100000) + "ok", false},
      {"ok" + Repeat(" AND ok", 100000), true},
      {"ok" + Repeat(" OR ok", 100000), true},
      {"n IN (1" + Repeat(", 1", 100000) + ")", true},
      {"n" + Repeat(" IS NULL", 100000), false},
      {"n" + Repeat("::INT", 100000), false},
      {Repeat("CASE WHEN ", 100000), false},
      {Repeat("coalesce(n, ", 150) + "n" + Repeat(")", 150), true},
      {Repeat("n + (", 150) + "n" + Repeat(")", 150), true},
      {Repeat("lag(n) OVER (PARTITION BY ", 100000), false},
      {Repeat("lag(", 100000), false},
      {nested_case, false},
      {nested_nullif, false},
  };
  for (const Case& test : kCases) {
    std::string text =
        absl::StrCat(kGood, "CREATE MATERIALIZED VIEW v (PRIMARY KEY ",
                     "(order_id)) AS SELECT order_id, ", test.expression,
                     " AS x FROM orders;");
    auto start = std::chrono::steady_clock::now();
    CompileResult result = Compile(text);
    auto took = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(result.ok(), test.good)
        << test.expression.substr(0, 50) << "\n"
        << (result.ok() ? "" : result.diagnostics[0].message);
    EXPECT_LT(took, std::chrono::seconds(20)) << test.expression.substr(0, 50);
  }
}

TEST(RobustnessTest, TooLargeAFileIsRefused) {
  std::string text(kMaxViewsFileBytes + 1, ' ');
  CompileResult result = CompileViews(text);
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].message,
            "the file is larger than 4194304 bytes");
}

TEST(RobustnessTest, ManyErrorsAreCapped) {
  CompileResult result = Compile(Repeat("CREATE SOURCE 5;\n", 1000));
  EXPECT_EQ(result.diagnostics.size(), static_cast<size_t>(kMaxDiagnostics));
  EXPECT_EQ(result.diagnostics[0].line, 1);
  EXPECT_EQ(result.diagnostics[99].line, 100);
}

}  // namespace
}  // namespace tidegate
