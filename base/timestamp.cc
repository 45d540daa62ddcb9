#include "base/timestamp.h"

#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/civil_time.h"

namespace tidegate {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kSecondsPerDay = 86'400;
constexpr int kMaxFractionDigits = 9;

absl::Status Malformed(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("not a timestamp: \"", text, "\""));
}

// Reads the text from its front.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : rest_(text) {}

  // Exactly `digits` digits, with a value of min to max.
  bool Number(int digits, int min, int max, int* value) {
    if (rest_.size() < static_cast<size_t>(digits)) return false;
    int result = 0;
    for (int i = 0; i < digits; ++i) {
      if (!absl::ascii_isdigit(static_cast<unsigned char>(rest_[i]))) {
        return false;
      }
      result = result * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(static_cast<size_t>(digits));
    *value = result;
    return result >= min && result <= max;
  }

  // Takes one character if it is among `any`.
  bool Take(absl::string_view any) {
    if (rest_.empty() || any.find(rest_[0]) == absl::string_view::npos) {
      return false;
    }
    taken_ = rest_[0];
    rest_.remove_prefix(1);
    return true;
  }
  char taken() const { return taken_; }
  bool done() const { return rest_.empty(); }
  bool at_digit() const {
    return !rest_.empty() &&
           absl::ascii_isdigit(static_cast<unsigned char>(rest_[0]));
  }

  // One to nine digits; those beyond microseconds are cut off.
  bool Fraction(int64_t* micros) {
    int64_t result = 0;
    int digits = 0;
    for (; at_digit(); ++digits) {
      if (digits < 6) result = result * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    for (int i = digits; i < 6; ++i) result *= 10;
    *micros = result;
    return digits > 0 && digits <= kMaxFractionDigits;
  }

 private:
  absl::string_view rest_;
  char taken_ = 0;
};

bool ScanDate(Scanner* scan, int64_t* days) {
  int year, month, day;
  if (!scan->Number(4, 1, 9999, &year) || !scan->Take("-") ||
      !scan->Number(2, 1, 12, &month) || !scan->Take("-") ||
      !scan->Number(2, 1, 31, &day)) {
    return false;
  }
  const std::chrono::year_month_day date(
      std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
      std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return false;
  *days = std::chrono::sys_days(date).time_since_epoch().count();
  return true;
}

// hh:mm[:ss[.fraction]]
bool ScanTime(Scanner* scan, int64_t* micros) {
  int hour, minute, second = 0;
  int64_t fraction = 0;
  if (!scan->Number(2, 0, 23, &hour) || !scan->Take(":") ||
      !scan->Number(2, 0, 59, &minute)) {
    return false;
  }
  if (scan->Take(":")) {
    // A leap second counts as the first of the next minute.
    if (!scan->Number(2, 0, 60, &second)) return false;
    if (scan->Take(".") && !scan->Fraction(&fraction)) return false;
  }
  *micros = (hour * int64_t{3600} + minute * int64_t{60} + second) *
                kMicrosPerSecond +
            fraction;
  return true;
}

// What is to be subtracted to get UTC; the text ends here.
bool ScanOffset(Scanner* scan, int64_t* seconds) {
  *seconds = 0;
  if (scan->done()) return true;
  if (scan->Take("Zz")) return scan->done();
  if (!scan->Take("+-")) return false;
  const int sign = scan->taken() == '-' ? -1 : 1;
  int hours, minutes = 0;
  if (!scan->Number(2, 0, 23, &hours)) return false;
  const bool colon = scan->Take(":");
  if ((colon || scan->at_digit()) && !scan->Number(2, 0, 59, &minutes)) {
    return false;
  }
  *seconds = sign * (hours * int64_t{3600} + minutes * int64_t{60});
  return scan->done();
}

// 0001-01-01 and 10000-01-01, in days since 1970.
constexpr int64_t kFirstDay = -719'162;
constexpr int64_t kEndDay = 2'932'897;

}  // namespace

std::string FormatTimestamp(int64_t micros) {
  const CivilTime civil = ToCivilTime(micros);
  std::string out =
      absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d", civil.year, civil.month,
                      civil.day, civil.hour, civil.minute, civil.second);
  if (civil.microsecond % 1000 != 0) {
    absl::StrAppendFormat(&out, ".%06d", civil.microsecond);
  } else if (civil.microsecond != 0) {
    absl::StrAppendFormat(&out, ".%03d", civil.microsecond / 1000);
  }
  out.push_back('Z');
  return out;
}

absl::StatusOr<int64_t> ParseTimestamp(absl::string_view text) {
  Scanner scan(text);
  int64_t days, time = 0, offset_s = 0;
  if (!ScanDate(&scan, &days)) return Malformed(text);
  if (!scan.done()) {
    if (!scan.Take("Tt ") || !ScanTime(&scan, &time) ||
        !ScanOffset(&scan, &offset_s)) {
      return Malformed(text);
    }
  }
  const int64_t micros =
      (days * kSecondsPerDay - offset_s) * kMicrosPerSecond + time;
  if (micros < kFirstDay * kSecondsPerDay * kMicrosPerSecond ||
      micros >= kEndDay * kSecondsPerDay * kMicrosPerSecond) {
    return absl::InvalidArgumentError(
        absl::StrCat("timestamp out of range: \"", text, "\""));
  }
  return micros;
}

}  // namespace tidegate
