// From an event to the input row of a view's expressions: join, then WHERE.
#ifndef TIDEGATE_VIEWS_FOLD_INPUT_ROWS_H_
#define TIDEGATE_VIEWS_FOLD_INPUT_ROWS_H_

#include <vector>

#include "absl/status/status.h"
#include "views/fold/event.h"
#include "views/fold/view_fold.h"
#include "views/plan/plan.h"

namespace tidegate {

// Runs on the fold thread.
class InputRows {
 public:
  // As ViewFold::Create.
  InputRows(const ViewPlan* plan, const SourcePlan* source,
            const SourcePlan* joined, TableLookup table);

  // Sets `row` to the input row, which borrows from `event`, from the lookup
  // and from this until the next call; `passes` is false if the event does
  // nothing (an inner join found no row, or WHERE is not TRUE).
  absl::Status Read(const Event& event, TextArena* arena, Row* row,
                    bool* passes);

 private:
  absl::Status Join(const Event& event, TextArena* arena, bool* passes);

  const ViewPlan* const plan_;
  const size_t source_columns_;
  const TableLookup table_;
  std::vector<Datum> key_;  // of the joined table
  std::vector<Datum> row_;  // source columns, then the table's; joins only
};

// Evaluates each of `exprs` into its place of `out`.
absl::Status EvaluateAll(const std::vector<Expr>& exprs, Row row,
                         TextArena* arena, std::vector<Datum>* out);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_INPUT_ROWS_H_
