// A boolean expression over a view's columns, as a client writes it to choose
// rows.
#ifndef TIDEGATE_VIEWS_SQL_EXPRESSION_H_
#define TIDEGATE_VIEWS_SQL_EXPRESSION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "views/plan/plan.h"
#include "views/sql/compile.h"

namespace tidegate {

// The input row of the result is the view's columns. InvalidArgument with the
// first error, and all of them in `diagnostics`, which may be null. A text is
// at most kMaxFilterBytes long.
absl::StatusOr<Expr> CompileFilter(absl::string_view text,
                                   absl::Span<const OutputColumn> columns,
                                   std::vector<Diagnostic>* diagnostics);

inline constexpr size_t kMaxFilterBytes = 4 << 10;

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_SQL_EXPRESSION_H_
