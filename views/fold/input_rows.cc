#include "views/fold/input_rows.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace tidegate {

InputRows::InputRows(const ViewPlan* plan, const SourcePlan* source,
                     const SourcePlan* joined, TableLookup table)
    : plan_(plan),
      source_columns_(source->columns.size()),
      table_(std::move(table)) {
  if (!plan->join) return;
  key_.resize(plan->join->key.size());
  row_.resize(source_columns_ + joined->columns.size());
}

absl::Status InputRows::Join(const Event& event, TextArena* arena,
                             bool* passes) {
  std::copy(event.columns.begin(), event.columns.end(), row_.begin());
  const auto table_row = MutableRow(row_).subspan(source_columns_);
  RETURN_IF_ERROR(EvaluateAll(plan_->join->key, event.columns, arena, &key_));
  bool found = false;
  if (std::none_of(key_.begin(), key_.end(),
                   [](const Datum& part) { return part.is_null; })) {
    ASSIGN_OR_RETURN(found, table_(key_, table_row));
  }
  if (!found) std::fill(table_row.begin(), table_row.end(), Datum::Null());
  *passes = found || plan_->join->left;
  return absl::OkStatus();
}

absl::Status InputRows::Read(const Event& event, TextArena* arena, Row* row,
                             bool* passes) {
  *passes = true;
  *row = event.columns;
  if (plan_->join) {
    RETURN_IF_ERROR(Join(event, arena, passes));
    if (!*passes) return absl::OkStatus();
    *row = row_;
  }
  if (plan_->where) {
    Datum condition;
    RETURN_IF_ERROR(Evaluate(*plan_->where, *row, arena, &condition));
    *passes = !condition.is_null && condition.b;
  }
  return absl::OkStatus();
}

absl::Status EvaluateAll(const std::vector<Expr>& exprs, Row row,
                         TextArena* arena, std::vector<Datum>* out) {
  for (size_t i = 0; i < exprs.size(); ++i) {
    RETURN_IF_ERROR(Evaluate(exprs[i], row, arena, &(*out)[i]));
  }
  return absl::OkStatus();
}

}  // namespace tidegate
