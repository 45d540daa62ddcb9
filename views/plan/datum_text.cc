#include "views/plan/datum_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/double_text.h"
#include "base/timestamp.h"

namespace tidegate {
namespace {

std::string Quoted(absl::string_view text) {
  absl::string_view shown = text.substr(0, kMaxQuotedBytes);
  if (shown.size() < text.size()) {
    // Not in the middle of a code point.
    while (!shown.empty() &&
           (static_cast<unsigned char>(text[shown.size()]) & 0xc0) == 0x80) {
      shown.remove_suffix(1);
    }
  }
  return absl::StrCat("\"", absl::Utf8SafeCEscape(shown), "\"",
                      shown.size() < text.size() ? "..." : "");
}

}  // namespace

std::string DatumText(Type type, const Datum& value) {
  if (value.is_null) return "NULL";
  switch (type) {
    case Type::kBoolean:
      return value.b ? "true" : "false";
    case Type::kInt:
    case Type::kBigint:
      return absl::StrCat(value.i);
    case Type::kDouble: {
      std::string text;
      AppendDouble(&text, value.d);
      return text;
    }
    case Type::kVarchar:
      return Quoted(value.text());
    case Type::kTimestamptz:
      return FormatTimestamp(value.i);
  }
  return "?";
}

}  // namespace tidegate
