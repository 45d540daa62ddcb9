#include "views/plan/function.h"

#include <cmath>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/civil_time.h"
#include "views/plan/arithmetic.h"
#include "views/plan/datum_text.h"

namespace tidegate {
namespace {

Datum Extract(Function function, int64_t micros) {
  constexpr double kMicrosPerSecond = 1e6;
  if (function == Function::kEpoch) {
    return Datum::Double(static_cast<double>(micros) / kMicrosPerSecond);
  }
  const CivilTime civil = ToCivilTime(micros);
  switch (function) {
    case Function::kYear:
      return Datum::Int(civil.year);
    case Function::kMonth:
      return Datum::Int(civil.month);
    case Function::kDay:
      return Datum::Int(civil.day);
    case Function::kHour:
      return Datum::Int(civil.hour);
    case Function::kMinute:
      return Datum::Int(civil.minute);
    case Function::kDayOfWeek:
      return Datum::Int(civil.day_of_week);
    case Function::kDayOfYear:
      return Datum::Int(civil.day_of_year);
    default:
      // One rounding: the nearest double to 12.345678.
      return Datum::Double(
          (civil.second * kMicrosPerSecond + civil.microsecond) /
          kMicrosPerSecond);
  }
}

absl::Status Truncate(TimeUnit unit, Datum* time) {
  const std::optional<int64_t> start = StartOfUnit(unit, time->i);
  if (!start.has_value()) {
    return absl::OutOfRangeError(
        absl::StrCat("timestamptz out of range: date_trunc of ",
                     DatumText(Type::kTimestamptz, *time)));
  }
  *time = Datum::Int(*start);
  return absl::OkStatus();
}

absl::Status Absolute(Type type, Datum* value) {
  if (type == Type::kDouble) {
    *value = Datum::Double(std::fabs(value->d));
    return absl::OkStatus();
  }
  if (value->i >= 0 || Negate(type, *value, value)) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat(absl::AsciiStrToLower(TypeName(type)), " out of range: abs(",
                   DatumText(type, *value), ")"));
}

// Of values that compare equal, the first.
void Choose(Function function, Type type, Datum* operands) {
  const Datum& other = operands[1];
  if (other.is_null) return;
  const int order =
      operands[0].is_null ? 0 : CompareDatum(type, other, operands[0]);
  const bool better = function == Function::kGreatest ? order > 0 : order < 0;
  if (operands[0].is_null || better) operands[0] = other;
}

}  // namespace

absl::Status CallFunction(Function function, Type type, Datum* operands,
                          int count, TextArena* arena) {
  if (function == Function::kGreatest || function == Function::kLeast) {
    Choose(function, type, operands);
    return absl::OkStatus();
  }
  for (int i = 0; i < count; ++i) {
    if (!operands[i].is_null) continue;
    operands[0] = Datum::Null();
    return absl::OkStatus();
  }
  switch (function) {
    case Function::kStartOfSecond:
      return Truncate(TimeUnit::kSecond, operands);
    case Function::kStartOfMinute:
      return Truncate(TimeUnit::kMinute, operands);
    case Function::kStartOfHour:
      return Truncate(TimeUnit::kHour, operands);
    case Function::kStartOfDay:
      return Truncate(TimeUnit::kDay, operands);
    case Function::kStartOfMonth:
      return Truncate(TimeUnit::kMonth, operands);
    case Function::kStartOfYear:
      return Truncate(TimeUnit::kYear, operands);
    case Function::kLength:
    case Function::kLower:
    case Function::kUpper:
    case Function::kReplace:
    case Function::kSubstring:
    case Function::kTrim:
      return CallTextFunction(function, operands, count, arena);
    case Function::kAbs:
      return Absolute(type, operands);
    case Function::kRound:
      operands[0] = Datum::Double(std::nearbyint(operands[0].d));
      return absl::OkStatus();
    case Function::kFloor:
      operands[0] = Datum::Double(std::floor(operands[0].d));
      return absl::OkStatus();
    case Function::kCeil:
      operands[0] = Datum::Double(std::ceil(operands[0].d));
      return absl::OkStatus();
    default:
      operands[0] = Extract(function, operands[0].i);
      return absl::OkStatus();
  }
}

}  // namespace tidegate
