#include "views/plan/cast.h"

#include <cmath>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/charconv.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/timestamp.h"
#include "views/plan/datum_text.h"

namespace tidegate {
namespace {

absl::Status OutOfRange(Type from, Type to, const Datum& value) {
  return absl::OutOfRangeError(absl::StrCat("out of range for ", TypeName(to),
                                            ": ", DatumText(from, value)));
}

absl::Status NotA(Type to, const Datum& value) {
  return absl::OutOfRangeError(absl::StrCat("not valid as ", TypeName(to), ": ",
                                            DatumText(Type::kVarchar, value)));
}

bool ReadBoolean(absl::string_view text, bool* value) {
  const std::string lower = absl::AsciiStrToLower(text);
  if (lower.empty()) return false;
  const absl::string_view word = lower;
  for (const absl::string_view yes : {"true", "yes", "1"}) {
    if (absl::StartsWith(yes, word)) return *value = true;
  }
  for (const absl::string_view no : {"false", "no", "0"}) {
    if (absl::StartsWith(no, word)) {
      *value = false;
      return true;
    }
  }
  *value = word == "on";
  return word == "on" || word == "of" || word == "off";
}

bool ReadDouble(absl::string_view text, double* value) {
  if (absl::ConsumePrefix(&text, "+") && absl::StartsWith(text, "-")) {
    return false;
  }
  const char* end = text.data() + text.size();
  const auto read = absl::from_chars(text.data(), end, *value);
  return read.ec == std::errc() && read.ptr == end;
}

// Whether text is digits with at most a sign, so that what fails is its size.
bool IsInteger(absl::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    text.remove_prefix(1);
  }
  if (text.empty()) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

absl::Status FromText(Type to, const Datum& value, Datum* result) {
  const absl::string_view text = absl::StripAsciiWhitespace(value.text());
  switch (to) {
    case Type::kBoolean: {
      bool b;
      if (!ReadBoolean(text, &b)) return NotA(to, value);
      *result = Datum::Bool(b);
      return absl::OkStatus();
    }
    case Type::kInt:
    case Type::kBigint: {
      int64_t i;
      if (!IsInteger(text)) return NotA(to, value);
      if (!absl::SimpleAtoi(text, &i) ||
          (to == Type::kInt && i != static_cast<int32_t>(i))) {
        return OutOfRange(Type::kVarchar, to, value);
      }
      *result = Datum::Int(i);
      return absl::OkStatus();
    }
    case Type::kDouble: {
      double d;
      if (!ReadDouble(text, &d)) return NotA(to, value);
      *result = Datum::Double(d);
      return absl::OkStatus();
    }
    case Type::kTimestamptz: {
      const absl::StatusOr<int64_t> micros = ParseTimestamp(text);
      if (!micros.ok()) return NotA(to, value);
      *result = Datum::Int(*micros);
      return absl::OkStatus();
    }
    case Type::kVarchar:
      break;
  }
  *result = value;
  return absl::OkStatus();
}

absl::Status FromDouble(Type to, const Datum& value, Datum* result) {
  const double rounded = std::nearbyint(value.d);
  // Both bounds are exact in binary64; NaN fails every comparison.
  const double end = to == Type::kInt ? 0x1p31 : 0x1p63;
  if (!(rounded >= -end && rounded < end)) {
    return OutOfRange(Type::kDouble, to, value);
  }
  *result = Datum::Int(static_cast<int64_t>(rounded));
  return absl::OkStatus();
}

absl::Status FromInteger(Type from, Type to, const Datum& value,
                         Datum* result) {
  switch (to) {
    case Type::kBoolean:
      *result = Datum::Bool(value.i != 0);
      return absl::OkStatus();
    case Type::kDouble:
      *result = Datum::Double(static_cast<double>(value.i));
      return absl::OkStatus();
    default:
      if (to == Type::kInt && value.i != static_cast<int32_t>(value.i)) {
        return OutOfRange(from, to, value);
      }
      *result = value;
      return absl::OkStatus();
  }
}

bool IsInteger(Type type) {
  return type == Type::kInt || type == Type::kBigint;
}

}  // namespace

bool CanCast(Type from, Type to) {
  if (from == to || from == Type::kVarchar || to == Type::kVarchar) {
    return true;
  }
  if (IsInteger(from)) return to != Type::kTimestamptz;
  return (from == Type::kBoolean || from == Type::kDouble) && IsInteger(to);
}

absl::Status Cast(Type from, Type to, const Datum& value, TextArena* arena,
                  Datum* result) {
  if (!CanCast(from, to)) {
    return absl::InternalError(
        absl::StrCat("no cast from ", TypeName(from), " to ", TypeName(to)));
  }
  if (value.is_null || from == to) {
    *result = value;
    return absl::OkStatus();
  }
  if (to == Type::kVarchar) {
    *result = Datum::Text(arena->Copy(DatumText(from, value)));
    return absl::OkStatus();
  }
  switch (from) {
    case Type::kVarchar:
      return FromText(to, value, result);
    case Type::kDouble:
      return FromDouble(to, value, result);
    case Type::kBoolean:
      *result = Datum::Int(value.b ? 1 : 0);
      return absl::OkStatus();
    default:
      return FromInteger(from, to, value, result);
  }
}

}  // namespace tidegate
