#include "views/sql/literals.h"

#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace tidegate::sql {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
// Longer is surely a mistake, and sums of two stay far from overflow.
constexpr int64_t kMaxIntervalUs = kSecondUs * 86'400 * 36'500;

// Microseconds in a unit, singular or plural.
std::optional<int64_t> UnitMicros(absl::string_view word) {
  std::string unit = absl::AsciiStrToLower(word);
  if (unit.size() > 1 && unit.back() == 's') unit.pop_back();
  if (unit == "microsecond") return 1;
  if (unit == "millisecond") return 1000;
  if (unit == "second" || unit == "sec") return kSecondUs;
  if (unit == "minute" || unit == "min") return 60 * kSecondUs;
  if (unit == "hour") return 3600 * kSecondUs;
  if (unit == "day") return 86'400 * kSecondUs;
  if (unit == "week") return kSecondUs * 7 * 86'400;
  return std::nullopt;
}

bool IsCalendarUnit(absl::string_view word) {
  std::string unit = absl::AsciiStrToLower(word);
  if (unit.size() > 1 && unit.back() == 's') unit.pop_back();
  return unit == "month" || unit == "year" || unit == "quarter";
}

absl::StatusOr<int64_t> Scale(absl::string_view number,
                              absl::string_view unit) {
  if (IsCalendarUnit(unit)) {
    return absl::InvalidArgumentError(
        absl::StrCat("not supported: an INTERVAL in ",
                     absl::AsciiStrToUpper(unit), ", it has no fixed length"));
  }
  std::optional<int64_t> micros = UnitMicros(unit);
  if (!micros.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown INTERVAL unit \"", unit, "\""));
  }
  double value = 0;
  if (!absl::SimpleAtod(number, &value) || !std::isfinite(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a number in an INTERVAL: '", number, "'"));
  }
  double scaled = value * static_cast<double>(*micros);
  if (std::fabs(scaled) > static_cast<double>(kMaxIntervalUs)) {
    return absl::InvalidArgumentError("INTERVAL is longer than 100 years");
  }
  return std::llround(scaled);
}

}  // namespace

bool IsIntervalUnit(absl::string_view word) {
  return UnitMicros(word).has_value() || IsCalendarUnit(word);
}

absl::StatusOr<int64_t> ParseInterval(absl::string_view text,
                                      absl::string_view unit) {
  if (!unit.empty()) return Scale(absl::StripAsciiWhitespace(text), unit);
  std::vector<absl::string_view> words =
      absl::StrSplit(text, ' ', absl::SkipEmpty());
  if (words.empty() || words.size() % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("not an INTERVAL: '", text, "'"));
  }
  int64_t total = 0;
  for (size_t i = 0; i < words.size(); i += 2) {
    absl::StatusOr<int64_t> part = Scale(words[i], words[i + 1]);
    if (!part.ok()) return part;
    total += *part;
    if (std::abs(total) > kMaxIntervalUs) {
      return absl::InvalidArgumentError("INTERVAL is longer than 100 years");
    }
  }
  return total;
}

absl::StatusOr<int64_t> ParseDurationMs(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  size_t digits = 0;
  while (digits < rest.size() && absl::ascii_isdigit(rest[digits])) ++digits;
  int64_t value = 0;
  int64_t unit_ms = 0;
  absl::string_view unit = rest.substr(digits);
  if (unit == "ms") unit_ms = 1;
  if (unit == "s") unit_ms = 1000;
  if (unit == "m") unit_ms = 60'000;
  if (unit == "h") unit_ms = 3'600'000;
  if (unit == "d") unit_ms = 86'400'000;
  constexpr int64_t kMaxMs = kMaxIntervalUs / 1000;
  if (!absl::SimpleAtoi(rest.substr(0, digits), &value) || unit_ms == 0 ||
      value <= 0 || value > kMaxMs / unit_ms) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a duration: '", text, "'"));
  }
  return value * unit_ms;
}

std::string ToCamelCase(absl::string_view name) {
  std::string out;
  bool upper = true;
  for (char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out.push_back(upper ? absl::ascii_toupper(c) : c);
    upper = false;
  }
  return out;
}

std::string JsonName(absl::string_view name) {
  std::string out;
  for (char c : name) {
    if (c != '_') out.push_back(absl::ascii_tolower(c));
  }
  return out;
}

bool IsPlainName(absl::string_view name) {
  if (name.empty() || absl::ascii_isdigit(name[0])) return false;
  for (char c : name) {
    if (!absl::ascii_isalnum(c) && c != '_') return false;
  }
  return true;
}

}  // namespace tidegate::sql
