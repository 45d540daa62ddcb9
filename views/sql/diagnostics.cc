#include "views/sql/diagnostics.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/utf8.h"

namespace tidegate {
namespace sql {
namespace {

// Bytes of the character at the front of `text`: a byte that is not UTF-8
// counts as one character.
size_t CharacterBytes(absl::string_view text) {
  return std::max<size_t>(1, Utf8SequenceLength(text));
}

int CountCharacters(absl::string_view text) {
  int count = 0;
  while (!text.empty()) {
    text.remove_prefix(CharacterBytes(text));
    ++count;
  }
  return count;
}

}  // namespace

Reporter::Reporter(absl::string_view text) : text_(text) {
  line_starts_.push_back(0);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_starts_.push_back(static_cast<uint32_t>(i + 1));
  }
}

void Reporter::Error(Span span, std::string message, std::string suggestion) {
  if (errors_.size() >= kMaxErrors) return;
  span.begin = std::min<uint32_t>(span.begin, text_.size());
  span.end = std::min<uint32_t>(span.end, text_.size());
  errors_.push_back(Entry{span, std::move(message), std::move(suggestion)});
}

int Reporter::LineOf(uint32_t offset) const {
  auto after =
      std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  return static_cast<int>(after - line_starts_.begin());
}

Diagnostic Reporter::Locate(const Entry& error) const {
  Diagnostic out;
  out.line = LineOf(error.span.begin);
  uint32_t start = line_starts_[out.line - 1];
  uint32_t line_end = static_cast<uint32_t>(
      std::min(text_.find('\n', error.span.begin), text_.size()));
  uint32_t end = std::clamp(error.span.end, error.span.begin, line_end);
  out.column =
      1 + CountCharacters(text_.substr(start, error.span.begin - start));
  out.length = std::max(1, CountCharacters(text_.substr(
                               error.span.begin, end - error.span.begin)));
  out.message = error.message;
  out.suggestion = error.suggestion;
  return out;
}

std::vector<Diagnostic> Reporter::Take() {
  std::stable_sort(errors_.begin(), errors_.end(),
                   [](const Entry& a, const Entry& b) {
                     return a.span.begin < b.span.begin;
                   });
  std::vector<Diagnostic> out;
  uint32_t last_begin = 0;
  for (const Entry& error : errors_) {
    if (!out.empty() && error.span.begin == last_begin) continue;
    if (out.size() == static_cast<size_t>(kMaxDiagnostics)) break;
    out.push_back(Locate(error));
    last_begin = error.span.begin;
  }
  errors_.clear();
  return out;
}

}  // namespace sql

namespace {

// Of a longer line only this much around the error is shown.
constexpr int kMaxShownCharacters = 160;
constexpr int kShownBefore = 60;

struct Excerpt {
  std::string line;
  std::string marks;
};

// The line with an underline below it. Tabs stay tabs in both, so that they
// align; bytes that are not UTF-8 and control characters become U+FFFD.
Excerpt Underline(absl::string_view line, int column, int length) {
  int first = 1;
  if (sql::CountCharacters(line) > kMaxShownCharacters) {
    first = std::max(1, column - kShownBefore);
  }
  Excerpt out;
  int at = 0;
  while (!line.empty() || at < column) {
    ++at;
    size_t bytes = line.empty() ? 0 : sql::CharacterBytes(line);
    absl::string_view c = line.substr(0, bytes);
    line.remove_prefix(bytes);
    if (at < first) continue;
    if (at >= first + kMaxShownCharacters) break;
    bool tab = c == "\t";
    if (bytes == 1 && !tab &&
        (static_cast<uint8_t>(c[0]) >= 0x7F || c[0] < ' ')) {
      c = "\xEF\xBF\xBD";
    }
    absl::StrAppend(&out.line, c);
    if (at < column) {
      out.marks.push_back(tab ? '\t' : ' ');
    } else if (at < column + length) {
      out.marks.push_back(at == column ? '^' : '~');
    }
  }
  return out;
}

}  // namespace

std::string FormatDiagnostics(absl::string_view file, absl::string_view text,
                              const std::vector<Diagnostic>& diagnostics) {
  std::string out;
  int line_number = 1;
  size_t line_start = 0;
  for (const Diagnostic& d : diagnostics) {
    if (d.line < line_number) {
      line_number = 1;
      line_start = 0;
    }
    while (line_number < d.line) {
      size_t end = text.find('\n', line_start);
      if (end == absl::string_view::npos) break;
      line_start = end + 1;
      ++line_number;
    }
    size_t end = std::min(text.find('\n', line_start), text.size());
    absl::string_view line = text.substr(line_start, end - line_start);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    Excerpt excerpt = Underline(line, d.column, d.length);
    absl::StrAppend(&out, file, ":", d.line, ":", d.column,
                    ": error: ", d.message, "\n  ", excerpt.line, "\n  ",
                    excerpt.marks, "\n");
    if (!d.suggestion.empty()) {
      absl::StrAppend(&out, "help: ", d.suggestion, "\n");
    }
  }
  return out;
}

}  // namespace tidegate
