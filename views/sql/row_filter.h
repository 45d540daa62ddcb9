// A condition over a view's rows, as a client writes it to choose among them.
#ifndef TIDEGATE_VIEWS_SQL_ROW_FILTER_H_
#define TIDEGATE_VIEWS_SQL_ROW_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "views/fold/row_codec.h"
#include "views/plan/expr.h"

namespace tidegate {

// `region = 'EU' AND total > 100`, in the expression language of the views
// file, over the columns of <View>Row. Immutable; thread-safe. Memory that
// Matches needs is kept per thread.
class RowFilter {
 public:
  // InvalidArgument says in one message what is wrong and where, by line and
  // column (in characters, from 1):
  //   where: 1:1: unknown column "regon"; did you mean "region"?
  // Several errors are joined by "; ", at most kMaxErrors of them. The result
  // keeps nothing of `text` and `schema`.
  static absl::StatusOr<std::shared_ptr<const RowFilter>> Compile(
      absl::string_view text, const RowSchema& schema);

  // `row` is a <View>Row. True if the condition is TRUE, not if it is FALSE or
  // NULL. A condition that cannot be evaluated on this row (division by zero,
  // overflow, a CAST that does not fit, text beyond kMaxMadeBytes, LIKE beyond
  // kMaxLikeSteps) does not
  // match, whatever stands around it: NOT (1 / n > 0) does not match where n is
  // 0. AND and OR go from left to right and stop once the result is known, as
  // do CASE and COALESCE, so n <> 0 AND 1 / n > 0 is always evaluated.
  //
  // DataLoss if the row is malformed, but columns that the condition does not
  // name are not looked into. Allocates nothing once the thread has called it
  // for the filter with the most columns, unless the condition cannot be
  // evaluated, casts to VARCHAR or makes text longer than a few KiB.
  absl::StatusOr<bool> Matches(absl::string_view row) const;

  // The condition in one spelling: equal for texts of the same tokens, whatever
  // their blanks, comments, case and needless quotes. It means the same, but
  // may be longer than kMaxTextBytes.
  const std::string& canonical() const { return canonical_; }

  static constexpr size_t kMaxTextBytes = 4096;
  // Of nested parentheses, calls and operators (chains of AND, OR and lists
  // are flat), so that no text exhausts the stack.
  static constexpr int kMaxDepth = 200;
  // What a row can cost, in instructions: some operands are evaluated more than
  // once (CASE x WHEN …, NULLIF, BETWEEN), nested ones exponentially often.
  static constexpr size_t kMaxInstructions = 4096;
  // Of text made for one row, by ||, lower, upper and replace.
  static constexpr uint64_t kMaxMadeBytes = 64 << 10;
  // Of all LIKEs for one row: a step compares one element of a pattern, and
  // some patterns take as many as their length times that of the text.
  static constexpr uint64_t kMaxLikeSteps = 4 << 20;
  // What a client is told at most; a status travels in HTTP/2 headers.
  static constexpr size_t kMaxErrors = 5;
  static constexpr size_t kMaxErrorBytes = 400;  // of each

 private:
  RowFilter(Expr expr, std::vector<RowSchema::Field> columns,
            std::string canonical);

  Expr expr_;                              // over `columns_`
  std::vector<RowSchema::Field> columns_;  // by field number
  std::string canonical_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_SQL_ROW_FILTER_H_
