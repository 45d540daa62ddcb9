#include "base/timestamp.h"

#include <limits>
#include <random>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int64_t k2013 = 1'357'034'400'000'000;  // 2013-01-01T10:00:00Z

TEST(TimestampTest, Formats) {
  EXPECT_EQ(FormatTimestamp(k2013), "2013-01-01T10:00:00Z");
  EXPECT_EQ(FormatTimestamp(k2013 + 5'000), "2013-01-01T10:00:00.005Z");
  EXPECT_EQ(FormatTimestamp(k2013 + 5), "2013-01-01T10:00:00.000005Z");
  EXPECT_EQ(FormatTimestamp(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatTimestamp(std::numeric_limits<int64_t>::max()),
            "294247-01-10T04:00:54.775807Z");
  EXPECT_EQ(FormatTimestamp(std::numeric_limits<int64_t>::min()),
            "-290308-12-21T19:59:05.224192Z");
}

TEST(TimestampTest, Parses) {
  const struct {
    const char* text;
    int64_t micros;
  } kCases[] = {
      {"2013-01-01T10:00:00Z", k2013},
      {"2013-01-01 10:00:00", k2013},
      {"2013-01-01t10:00:00z", k2013},
      {"2013-01-01 10:00", k2013},
      {"2013-01-01T12:00:00+02:00", k2013},
      {"2013-01-01T12:00:00+02", k2013},
      {"2013-01-01T12:00:00+0200", k2013},
      {"2013-01-01T04:30:00-05:30", k2013},
      {"2013-01-01T10:00:00.5Z", k2013 + 500'000},
      {"2013-01-01T10:00:00.123456789Z", k2013 + 123'456},
      {"2013-01-01", k2013 - 36'000'000'000},
      {"2012-12-31T23:59:60Z", k2013 - 36'000'000'000},
      {"1970-01-01", 0},
      {"2012-02-29", 1'330'473'600'000'000},
      {"0001-01-01", -62'135'596'800'000'000},
      {"9999-12-31T23:59:59.999999Z", 253'402'300'799'999'999},
  };
  for (const auto& test : kCases) {
    const auto micros = ParseTimestamp(test.text);
    ASSERT_TRUE(micros.ok()) << test.text << " " << micros.status();
    EXPECT_EQ(*micros, test.micros) << test.text;
  }
}

TEST(TimestampTest, Refuses) {
  const char* const kBad[] = {
      "",
      "2013",
      "2013-1-1",
      "2013-02-29",
      "2013-13-01",
      "2013-00-10",
      "0000-01-01",
      "2013-01-01T",
      "2013-01-01T10",
      "2013-01-01T24:00:00Z",
      "2013-01-01T10:60:00Z",
      "2013-01-01T10:00:61Z",
      "2013-01-01T10:00:00.Z",
      "2013-01-01T10:00:00.1234567890Z",
      "2013-01-01T10:00:00ZZ",
      "2013-01-01T10:00:00+2",
      "2013-01-01T10:00:00+02:",
      "2013-01-01T10:00:00+24:00",
      "2013-01-01Z",
      "0001-01-01T00:00:00+01:00",
      "9999-12-31T23:59:59-01:00",
      "+013-01-01",
  };
  for (const char* bad : kBad) {
    EXPECT_FALSE(ParseTimestamp(bad).ok()) << bad;
  }
}

TEST(TimestampTest, ReadsBackAndAgreesWithAbsl) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int64_t> any(-62'135'596'800'000'000,
                                             253'402'300'799'999'999);
  for (int i = 0; i < 5'000; ++i) {
    const int64_t micros = any(random);
    const std::string text = FormatTimestamp(micros);
    const auto parsed = ParseTimestamp(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, micros) << text;
    absl::Time time;
    std::string error;
    ASSERT_TRUE(absl::ParseTime("%Y-%m-%dT%H:%M:%E*SZ", text,
                                absl::UTCTimeZone(), &time, &error))
        << text << " " << error;
    EXPECT_EQ(absl::ToUnixMicros(time), micros) << text;
  }
}

}  // namespace
}  // namespace tidegate
