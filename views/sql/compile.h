// From the text of a views file to plans, with every error found on the way.
#ifndef TIDEGATE_VIEWS_SQL_COMPILE_H_
#define TIDEGATE_VIEWS_SQL_COMPILE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "views/plan/plan.h"

namespace tidegate {

// One error, at a place. Lines and columns count from 1; columns count
// characters (code points), tabs as one.
struct Diagnostic {
  int line = 1;
  int column = 1;
  int length = 1;       // characters to underline, at least 1, within the line
  std::string message;  // a lowercase fact: "unknown column \"amout\""
  std::string suggestion;  // "did you mean \"amount\"?" or what to write; may
                           // be empty
};

struct CompileResult {
  PlanSet plans;                        // meaningful only without errors
  std::vector<Diagnostic> diagnostics;  // in file order
  bool ok() const { return diagnostics.empty(); }
};

// Parses and binds a views file. Never fails otherwise than by diagnostics; at
// most kMaxDiagnostics of them. A file is at most kMaxViewsFileBytes.
CompileResult CompileViews(absl::string_view text);

// The text `tidegate check` and `serve` print: for each diagnostic
//   FILE:LINE:COLUMN: error: MESSAGE
//     source line
//          ^~~~~
//   help: SUGGESTION
std::string FormatDiagnostics(absl::string_view file, absl::string_view text,
                              const std::vector<Diagnostic>& diagnostics);

inline constexpr int kMaxDiagnostics = 100;
inline constexpr size_t kMaxViewsFileBytes = 4 << 20;

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_SQL_COMPILE_H_
