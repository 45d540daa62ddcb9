#include "base/civil_time.h"

#include <chrono>

namespace tidegate {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kMinuteUs = 60 * kSecondUs;
constexpr int64_t kHourUs = 60 * kMinuteUs;
constexpr int64_t kDayUs = 24 * kHourUs;

// The calendar repeats itself, weekdays too, after 400 years.
constexpr int64_t kCycleDays = 146'097;
constexpr int64_t kCycleYears = 400;

int64_t FloorDivide(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

int64_t FloorModulo(int64_t a, int64_t b) {
  const int64_t rest = a % b;
  return rest < 0 ? rest + b : rest;
}

}  // namespace

CivilTime ToCivilTime(int64_t micros) {
  const int64_t days = FloorDivide(micros, kDayUs);
  const int64_t of_day = FloorModulo(micros, kDayUs);
  // std::chrono's calendar ends at the year 32767.
  const int64_t cycles = FloorDivide(days, kCycleDays);
  const std::chrono::sys_days day{
      std::chrono::days(static_cast<int>(days - cycles * kCycleDays))};
  const std::chrono::year_month_day date{day};
  const std::chrono::sys_days new_year{date.year() / std::chrono::January / 1};
  CivilTime civil;
  civil.year = static_cast<int>(date.year()) + cycles * kCycleYears;
  civil.month = static_cast<int>(static_cast<unsigned>(date.month()));
  civil.day = static_cast<int>(static_cast<unsigned>(date.day()));
  civil.day_of_year = static_cast<int>((day - new_year).count()) + 1;
  civil.day_of_week = static_cast<int>(std::chrono::weekday(day).c_encoding());
  civil.hour = static_cast<int>(of_day / kHourUs);
  civil.minute = static_cast<int>(of_day / kMinuteUs % 60);
  civil.second = static_cast<int>(of_day / kSecondUs % 60);
  civil.microsecond = static_cast<int>(of_day % kSecondUs);
  return civil;
}

std::optional<int64_t> StartOfUnit(TimeUnit unit, int64_t micros) {
  int64_t since = 0;
  switch (unit) {
    case TimeUnit::kSecond:
      since = FloorModulo(micros, kSecondUs);
      break;
    case TimeUnit::kMinute:
      since = FloorModulo(micros, kMinuteUs);
      break;
    case TimeUnit::kHour:
      since = FloorModulo(micros, kHourUs);
      break;
    case TimeUnit::kDay:
      since = FloorModulo(micros, kDayUs);
      break;
    case TimeUnit::kMonth:
      since =
          FloorModulo(micros, kDayUs) + (ToCivilTime(micros).day - 1) * kDayUs;
      break;
    case TimeUnit::kYear:
      since = FloorModulo(micros, kDayUs) +
              (ToCivilTime(micros).day_of_year - 1) * kDayUs;
      break;
  }
  int64_t start;
  if (__builtin_sub_overflow(micros, since, &start)) return std::nullopt;
  return start;
}

}  // namespace tidegate
