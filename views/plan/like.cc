#include "views/plan/like.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "base/utf8.h"

namespace tidegate {
namespace {

enum class Kind { kEnd, kAny, kOne, kLiteral };

// One element off the front of a pattern.
struct Element {
  Kind kind = Kind::kEnd;
  absl::string_view literal;
  size_t size = 0;
};

size_t FrontLength(absl::string_view text) {
  return std::max<size_t>(1, Utf8SequenceLength(text));
}

Element Front(absl::string_view pattern, absl::string_view escape) {
  if (pattern.empty()) return {};
  if (!escape.empty() && absl::StartsWith(pattern, escape)) {
    const absl::string_view rest = pattern.substr(escape.size());
    const size_t length = rest.empty() ? 0 : FrontLength(rest);
    return {Kind::kLiteral, rest.substr(0, length), escape.size() + length};
  }
  if (pattern[0] == '%') return {Kind::kAny, "", 1};
  if (pattern[0] == '_') return {Kind::kOne, "", 1};
  const size_t length = FrontLength(pattern);
  return {Kind::kLiteral, pattern.substr(0, length), length};
}

}  // namespace

bool IsLikePattern(absl::string_view pattern, absl::string_view escape) {
  while (!pattern.empty()) {
    const Element element = Front(pattern, escape);
    if (element.kind == Kind::kLiteral && element.literal.empty()) return false;
    pattern.remove_prefix(element.size);
  }
  return true;
}

bool Like(absl::string_view text, absl::string_view pattern,
          absl::string_view escape, uint64_t* steps) {
  // Where to go on if what follows the last '%' does not match here; an
  // earlier '%' need never be reconsidered.
  absl::string_view retry_text, retry_pattern;
  bool can_retry = false;
  for (; *steps > 0; --*steps) {
    const Element element = Front(pattern, escape);
    if (element.kind == Kind::kAny) {
      pattern.remove_prefix(element.size);
      if (pattern.empty()) return true;
      retry_text = text;
      retry_pattern = pattern;
      can_retry = true;
      continue;
    }
    if (element.kind == Kind::kEnd && text.empty()) return true;
    if (element.kind == Kind::kOne && !text.empty()) {
      text.remove_prefix(FrontLength(text));
      pattern.remove_prefix(element.size);
      continue;
    }
    if (element.kind == Kind::kLiteral &&
        absl::ConsumePrefix(&text, element.literal)) {
      pattern.remove_prefix(element.size);
      continue;
    }
    if (!can_retry || retry_text.empty()) return false;
    retry_text.remove_prefix(FrontLength(retry_text));
    text = retry_text;
    pattern = retry_pattern;
  }
  return false;
}

bool Like(absl::string_view text, absl::string_view pattern,
          absl::string_view escape) {
  uint64_t unlimited = std::numeric_limits<uint64_t>::max();
  return Like(text, pattern, escape, &unlimited);
}

}  // namespace tidegate
