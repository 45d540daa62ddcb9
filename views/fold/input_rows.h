// The input row of a view's expressions: the source's columns, the joined
// table's, and what windows, places and lags add (see ViewPlan).
#ifndef TIDEGATE_VIEWS_FOLD_INPUT_ROWS_H_
#define TIDEGATE_VIEWS_FOLD_INPUT_ROWS_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// Runs on the fold thread.
class InputRows {
 public:
  // As ViewFold::Create.
  InputRows(const ViewPlan* plan, const SourcePlan* source,
            const SourcePlan* joined, TableLookup table);

  // Makes the event's input row, the join looked up and the record's place
  // filled in; `passes` is whether it passes an inner join and WHERE. The row
  // borrows from the event, the arena and the table until the next Read.
  absl::Status Read(const Event& event, TextArena* arena, Row* row,
                    bool* passes);

  // ViewFold::Admits of a view with this plan: whether WHERE passes the event,
  // and true where it reads the joined table, because what it sees of that is
  // known only as the event is folded.
  absl::StatusOr<bool> Admits(const Event& event, TextArena* arena) const;

  // The last Read's row again, to fill in what only the fold knows. Requires
  // that the plan has windows or lags.
  MutableRow mutable_row() { return absl::MakeSpan(row_); }
  // Positions of window_start (window_end follows) and of the first lag.
  size_t window_column() const { return source_columns_ + table_columns_; }
  size_t lag_column() const { return row_.size() - plan_->lags.size(); }

 private:
  absl::Status Join(const Event& event, TextArena* arena, bool* passes);

  const ViewPlan* const plan_;
  const size_t source_columns_;
  const size_t table_columns_;
  const TableLookup table_;
  const bool where_reads_table_;
  std::vector<Datum> key_;  // of the joined table
  // Empty if the source's columns are all there is.
  std::vector<Datum> row_;
};

// Evaluates each of `exprs` into its place of `out`.
absl::Status EvaluateAll(const std::vector<Expr>& exprs, Row row,
                         TextArena* arena, std::vector<Datum>* out);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_INPUT_ROWS_H_
