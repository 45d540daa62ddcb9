// Microseconds since 1970 as the calendar shows them: UTC, proleptic Gregorian,
// for all of int64_t.
#ifndef TIDEGATE_BASE_CIVIL_TIME_H_
#define TIDEGATE_BASE_CIVIL_TIME_H_

#include <cstdint>
#include <optional>

namespace tidegate {

struct CivilTime {
  int64_t year = 1970;  // 0 is the year before 1
  int month = 1;
  int day = 1;
  int day_of_year = 1;
  int day_of_week = 4;  // 0 is Sunday
  int hour = 0;
  int minute = 0;
  int second = 0;
  int microsecond = 0;
};

CivilTime ToCivilTime(int64_t micros);

enum class TimeUnit : uint8_t { kSecond, kMinute, kHour, kDay, kMonth, kYear };

// When the second, minute, … that `micros` lies in began; nothing if that is
// before the first int64_t.
std::optional<int64_t> StartOfUnit(TimeUnit unit, int64_t micros);

}  // namespace tidegate

#endif  // TIDEGATE_BASE_CIVIL_TIME_H_
