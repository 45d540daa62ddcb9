#include "views/sql/literals.h"

#include "gtest/gtest.h"

namespace tidegate::sql {
namespace {

TEST(LiteralsTest, IntervalsAreMicroseconds) {
  struct Case {
    const char* text;
    const char* unit;
    int64_t micros;
  };
  const Case kCases[] = {
      {"2", "second", 2'000'000},
      {"0.5", "SECONDS", 500'000},
      {"10", "minute", 600'000'000},
      {"-1", "hour", -3'600'000'000},
      {"1", "week", 604'800'000'000},
      {"2 seconds", "", 2'000'000},
      {"1 hour 30 minutes", "", 5'400'000'000},
      {"250 milliseconds", "", 250'000},
      {"7 microseconds", "", 7},
  };
  for (const Case& test : kCases) {
    absl::StatusOr<int64_t> micros = ParseInterval(test.text, test.unit);
    ASSERT_TRUE(micros.ok()) << test.text << ": " << micros.status();
    EXPECT_EQ(*micros, test.micros) << test.text;
  }
}

TEST(LiteralsTest, RefusesIntervals) {
  const char* const kCases[][3] = {
      {"1", "month",
       "not supported: an INTERVAL in MONTH, it has no fixed length"},
      {"x", "second", "not a number in an INTERVAL: 'x'"},
      {"1 fortnight", "", "unknown INTERVAL unit \"fortnight\""},
      {"", "", "not an INTERVAL: ''"},
      {"1", "", "not an INTERVAL: '1'"},
      {"99999999", "day", "INTERVAL is longer than 100 years"},
      {"nan", "second", "not a number in an INTERVAL: 'nan'"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(ParseInterval(test[0], test[1]).status().message(), test[2]);
  }
}

TEST(LiteralsTest, DurationsAreMilliseconds) {
  EXPECT_EQ(*ParseDurationMs("500ms"), 500);
  EXPECT_EQ(*ParseDurationMs("5s"), 5000);
  EXPECT_EQ(*ParseDurationMs("1m"), 60'000);
  EXPECT_EQ(*ParseDurationMs("2h"), 7'200'000);
  EXPECT_EQ(*ParseDurationMs("1d"), 86'400'000);
  for (const char* bad : {"", "5", "s", "-1s", "0s", "5 s", "1.5s", "5y",
                          "99999999999999999999s", "9223372036854775807h"}) {
    EXPECT_FALSE(ParseDurationMs(bad).ok()) << bad;
  }
}

TEST(LiteralsTest, Names) {
  EXPECT_EQ(ToCamelCase("driver_totals"), "DriverTotals");
  EXPECT_EQ(ToCamelCase("a__b"), ToCamelCase("a_b"));
  EXPECT_NE(ToCamelCase("ab"), ToCamelCase("a_b"));
  EXPECT_EQ(JsonName("a_b"), JsonName("aB"));
  EXPECT_EQ(JsonName("_ab"), JsonName("ab"));
  EXPECT_NE(JsonName("a_1"), JsonName("a_2"));
  EXPECT_TRUE(IsPlainName("_a1"));
  for (const char* bad : {"", "1a", "a-b", "a b", "ä"}) {
    EXPECT_FALSE(IsPlainName(bad)) << bad;
  }
}

}  // namespace
}  // namespace tidegate::sql
