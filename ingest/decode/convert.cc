#include "ingest/decode/convert.h"

#include <charconv>
#include <cmath>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "base/utf8.h"

namespace tidegate {
namespace {

template <typename T>
bool ParseNumber(absl::string_view text, T* value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && rest == end;
}

bool ParseTimestampText(absl::string_view text, int64_t* micros) {
  int64_t millis = 0;
  if (ParseNumber(text, &millis)) return MillisToMicros(millis, micros);
  const absl::StatusOr<int64_t> parsed = ParseTimestamp(text);
  if (!parsed.ok()) return false;
  *micros = *parsed;
  return true;
}

}  // namespace

bool MillisToMicros(int64_t millis, int64_t* micros) {
  if (millis < kMinTimestampSeconds * 1000 ||
      millis > kMaxTimestampSeconds * 1000 + 999) {
    return false;
  }
  *micros = millis * 1000;
  return true;
}

std::string Quoted(absl::string_view text) {
  const bool cut = text.size() > kMaxQuotedBytes;
  absl::string_view shown = text.substr(0, kMaxQuotedBytes);
  // Half a character at the cut would be shown as escaped bytes.
  while (cut && !shown.empty() && !IsValidUtf8(shown) &&
         kMaxQuotedBytes - shown.size() < 3) {
    shown.remove_suffix(1);
  }
  const std::string escaped = IsValidUtf8(shown) ? absl::Utf8SafeCEscape(shown)
                                                 : absl::CHexEscape(shown);
  return absl::StrCat("\"", escaped, cut ? "\"…" : "\"");
}

absl::Status WrongValue(const Column& column, absl::string_view found) {
  return absl::InvalidArgumentError(
      absl::StrCat("column \"", column.name, "\": expected ",
                   TypeName(column.type), ", found ", found));
}

absl::Status ParseText(const Column& column, absl::string_view text,
                       Datum* datum) {
  bool ok = false;
  switch (column.type) {
    case Type::kBoolean:
      ok = text == "true" || text == "false";
      *datum = Datum::Bool(text == "true");
      break;
    case Type::kInt: {
      int32_t value = 0;
      ok = ParseNumber(text, &value);
      *datum = Datum::Int(value);
      break;
    }
    case Type::kBigint: {
      int64_t value = 0;
      ok = ParseNumber(text, &value);
      *datum = Datum::Int(value);
      break;
    }
    case Type::kDouble: {
      double value = 0;
      ok = ParseNumber(text, &value) && std::isfinite(value);
      *datum = Datum::Double(value);
      break;
    }
    case Type::kVarchar:
      if (text.size() > kMaxTextBytes) {
        return WrongValue(column,
                          absl::StrCat("text of ", text.size(), " bytes"));
      }
      if (!IsValidUtf8(text)) return WrongValue(column, "invalid UTF-8");
      *datum = Datum::Text(text);
      return absl::OkStatus();
    case Type::kTimestamptz: {
      int64_t value = 0;
      ok = ParseTimestampText(text, &value);
      *datum = Datum::Int(value);
      break;
    }
  }
  if (!ok) return WrongValue(column, Quoted(text));
  return absl::OkStatus();
}

}  // namespace tidegate
