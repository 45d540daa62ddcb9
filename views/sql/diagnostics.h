// Collects errors by byte range while a views file is compiled.
#ifndef TIDEGATE_VIEWS_SQL_DIAGNOSTICS_H_
#define TIDEGATE_VIEWS_SQL_DIAGNOSTICS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "views/sql/compile.h"

namespace tidegate::sql {

// A range of bytes of the file, end excluded.
struct Span {
  uint32_t begin = 0;
  uint32_t end = 0;
};

inline Span Join(Span a, Span b) {
  return Span{a.begin < b.begin ? a.begin : b.begin,
              a.end > b.end ? a.end : b.end};
}

// Thread-compatible. Borrows the file's text.
class Reporter {
 public:
  explicit Reporter(absl::string_view text);

  // Keeps one error per place: a second one that starts at the same byte is
  // nearly always a consequence of the first.
  void Error(Span span, std::string message, std::string suggestion = "");

  absl::string_view TextOf(Span span) const {
    return text_.substr(span.begin, span.end - span.begin);
  }
  // The line of a byte, from 1.
  int LineOf(uint32_t offset) const;
  // In file order, at most kMaxDiagnostics.
  std::vector<Diagnostic> Take();

 private:
  // Bounds memory; far above what is shown, so that the first ones in file
  // order are among those kept.
  static constexpr size_t kMaxErrors = 2000;

  struct Entry {
    Span span;
    std::string message;
    std::string suggestion;
  };
  Diagnostic Locate(const Entry& error) const;

  absl::string_view text_;
  std::vector<uint32_t> line_starts_;
  std::vector<Entry> errors_;
};

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_DIAGNOSTICS_H_
