// The functions of text.
#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "views/plan/function.h"

namespace tidegate {
namespace {

bool BeginsCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

// Drops `count` characters, or all there are, off the front; returns how many
// bytes they had.
size_t DropCharacters(int64_t count, absl::string_view* text) {
  size_t bytes = 0;
  while (count > 0 && bytes < text->size()) {
    ++bytes;
    while (bytes < text->size() && !BeginsCharacter((*text)[bytes])) ++bytes;
    --count;
  }
  text->remove_prefix(bytes);
  return bytes;
}

template <typename Convert>
absl::Status Letters(absl::string_view text, Convert convert, TextArena* arena,
                     Datum* result) {
  if (text.size() > arena->room()) {
    return absl::OutOfRangeError(absl::StrCat(
        "text longer than ", arena->room(), " bytes: ", text.size()));
  }
  char* const out = arena->Allocate(static_cast<uint32_t>(text.size()));
  std::transform(text.begin(), text.end(), out, [convert](char c) {
    return convert(static_cast<unsigned char>(c));
  });
  *result = Datum::Text(absl::string_view(out, text.size()));
  return absl::OkStatus();
}

absl::Status Replace(absl::string_view text, absl::string_view from,
                     absl::string_view to, TextArena* arena, Datum* result) {
  *result = Datum::Text(text);
  if (from.empty()) return absl::OkStatus();
  uint64_t found = 0;
  for (size_t at = text.find(from); at != absl::string_view::npos;
       at = text.find(from, at + from.size())) {
    ++found;
  }
  if (found == 0) return absl::OkStatus();
  // At most 2^26 times 2^26.
  const uint64_t size = text.size() - found * from.size() + found * to.size();
  if (size > arena->room()) {
    return absl::OutOfRangeError(absl::StrCat(
        "text longer than ", arena->room(), " bytes: replace makes ", size));
  }
  char* const begin = arena->Allocate(static_cast<uint32_t>(size));
  char* out = begin;
  size_t copied = 0;
  for (size_t at = text.find(from); at != absl::string_view::npos;
       at = text.find(from, copied)) {
    out = std::copy(text.begin() + copied, text.begin() + at, out);
    out = std::copy(to.begin(), to.end(), out);
    copied = at + from.size();
  }
  std::copy(text.begin() + copied, text.end(), out);
  *result = Datum::Text(absl::string_view(begin, size));
  return absl::OkStatus();
}

// The characters first to first + length - 1, as far as there are such.
absl::Status Substring(absl::string_view text, int64_t first,
                       const Datum* length, Datum* result) {
  if (length != nullptr && length->i < 0) {
    return absl::OutOfRangeError(
        absl::StrCat("negative length for substring: ", length->i));
  }
  // 2^26 bytes are as many characters at most, so this changes nothing.
  constexpr int64_t kFar = int64_t{1} << 40;
  int64_t end = kFar;
  if (length != nullptr && __builtin_add_overflow(first, length->i, &end)) {
    end = kFar;
  }
  const int64_t begin = std::clamp<int64_t>(first, 1, kFar);
  absl::string_view rest = text;
  DropCharacters(begin - 1, &rest);
  const absl::string_view tail = rest;
  const size_t bytes = DropCharacters(end - begin, &rest);
  *result = Datum::Text(tail.substr(0, bytes));
  return absl::OkStatus();
}

absl::string_view Trim(absl::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == absl::string_view::npos) return absl::string_view();
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

absl::Status CallTextFunction(Function function, Datum* operands, int count,
                              TextArena* arena) {
  const absl::string_view text = operands[0].text();
  switch (function) {
    case Function::kLength:
      operands[0] =
          Datum::Int(std::count_if(text.begin(), text.end(), BeginsCharacter));
      return absl::OkStatus();
    case Function::kLower:
      return Letters(text, absl::ascii_tolower, arena, operands);
    case Function::kUpper:
      return Letters(text, absl::ascii_toupper, arena, operands);
    case Function::kReplace:
      return Replace(text, operands[1].text(), operands[2].text(), arena,
                     operands);
    case Function::kSubstring:
      return Substring(text, operands[1].i, count == 3 ? operands + 2 : nullptr,
                       operands);
    default:
      operands[0] = Datum::Text(Trim(text));
      return absl::OkStatus();
  }
}

}  // namespace tidegate
