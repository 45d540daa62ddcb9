#include "base/civil_time.h"

#include <iostream>
#include <limits>
#include <random>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

template <typename Civil>
int64_t Start(Civil civil) {
  return absl::ToUnixMicros(absl::FromCivil(civil, absl::UTCTimeZone()));
}

void ExpectAsAbsl(int64_t micros) {
  const absl::TimeZone::CivilInfo info =
      absl::UTCTimeZone().At(absl::FromUnixMicros(micros));
  const absl::CivilSecond& expected = info.cs;
  const CivilTime civil = ToCivilTime(micros);
  EXPECT_EQ(civil.year, expected.year()) << micros;
  EXPECT_EQ(civil.month, expected.month()) << micros;
  EXPECT_EQ(civil.day, expected.day()) << micros;
  EXPECT_EQ(civil.hour, expected.hour()) << micros;
  EXPECT_EQ(civil.minute, expected.minute()) << micros;
  EXPECT_EQ(civil.second, expected.second()) << micros;
  EXPECT_EQ(civil.microsecond, absl::ToInt64Microseconds(info.subsecond));
  const absl::CivilDay day(expected);
  EXPECT_EQ(civil.day_of_year, absl::GetYearDay(day)) << micros;
  // absl's week begins on Monday.
  EXPECT_EQ(civil.day_of_week,
            (static_cast<int>(absl::GetWeekday(day)) + 1) % 7)
      << micros;
  EXPECT_EQ(StartOfUnit(TimeUnit::kSecond, micros), Start(expected));
  EXPECT_EQ(StartOfUnit(TimeUnit::kMinute, micros),
            Start(absl::CivilMinute(expected)));
  EXPECT_EQ(StartOfUnit(TimeUnit::kHour, micros),
            Start(absl::CivilHour(expected)));
  EXPECT_EQ(StartOfUnit(TimeUnit::kDay, micros), Start(day));
  EXPECT_EQ(StartOfUnit(TimeUnit::kMonth, micros),
            Start(absl::CivilMonth(expected)));
  EXPECT_EQ(StartOfUnit(TimeUnit::kYear, micros),
            Start(absl::CivilYear(expected)));
}

TEST(CivilTimeTest, AgreesWithAbsl) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  for (const int64_t micros :
       {int64_t{0}, int64_t{-1}, int64_t{1}, kMax,
        // 2000-02-29, 1900-03-01, 0000-12-31
        int64_t{951'782'400'000'000}, int64_t{-2'203'891'200'000'000},
        int64_t{-62'135'683'200'000'000}}) {
    ExpectAsAbsl(micros);
  }
  // Away from the very first year, whose start is out of range.
  std::uniform_int_distribution<int64_t> any(kMin + 40'000'000'000'000, kMax);
  std::uniform_int_distribution<int64_t> near(-70'000'000'000'000'000,
                                              260'000'000'000'000'000);
  for (int i = 0; i < 5'000; ++i) {
    ExpectAsAbsl(any(random));
    ExpectAsAbsl(near(random));
  }
}

TEST(CivilTimeTest, AUnitThatBeganBeforeTheFirstTime) {
  for (const TimeUnit unit :
       {TimeUnit::kSecond, TimeUnit::kMinute, TimeUnit::kHour, TimeUnit::kDay,
        TimeUnit::kMonth, TimeUnit::kYear}) {
    EXPECT_EQ(StartOfUnit(unit, kMin), std::nullopt);
  }
  const CivilTime first = ToCivilTime(kMin);
  EXPECT_EQ(first.year, -290'308);
  EXPECT_EQ(first.month, 12);
  EXPECT_EQ(first.day, 21);
  EXPECT_EQ(first.microsecond, 224'192);
}

}  // namespace
}  // namespace tidegate
