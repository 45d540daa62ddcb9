#include "views/fold/input_rows.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace tidegate {

InputRows::InputRows(const ViewPlan* plan, const SourcePlan* source,
                     const SourcePlan* joined, TableLookup table)
    : plan_(plan),
      source_columns_(source->columns.size()),
      table_columns_(plan->join ? joined->columns.size() : 0),
      table_(std::move(table)),
      where_reads_table_(
          plan->join && plan->where &&
          std::any_of(plan->where->code.begin(), plan->where->code.end(),
                      [this](const Instruction& in) {
                        return in.op == Op::kColumn &&
                               static_cast<size_t>(in.arg) >= source_columns_;
                      })) {
  if (plan->join) key_.resize(plan->join->key.size());
  const bool windowed =
      plan->window && plan->window->kind != WindowKind::kSliding;
  const size_t added = table_columns_ + (windowed ? 2 : 0) +
                       (plan->keyless ? 2 : 0) + plan->lags.size();
  if (added > 0) row_.resize(source_columns_ + added);
}

absl::Status InputRows::Join(const Event& event, TextArena* arena,
                             bool* passes) {
  const auto table_row =
      MutableRow(row_).subspan(source_columns_, table_columns_);
  RETURN_IF_ERROR(EvaluateAll(plan_->join->key, event.columns, arena, &key_));
  bool found = false;
  if (std::none_of(key_.begin(), key_.end(),
                   [](const Datum& part) { return part.is_null; })) {
    ASSIGN_OR_RETURN(found, table_(key_, event.order.time, table_row));
  }
  if (!found) std::fill(table_row.begin(), table_row.end(), Datum::Null());
  *passes = found || plan_->join->left;
  return absl::OkStatus();
}

absl::Status InputRows::Read(const Event& event, TextArena* arena, Row* row,
                             bool* passes) {
  *passes = true;
  *row = event.columns;
  if (!row_.empty()) {
    std::copy(event.columns.begin(), event.columns.end(), row_.begin());
    *row = row_;
  }
  if (plan_->keyless) {
    const size_t place = lag_column() - 2;
    row_[place] = Datum::Int(event.order.partition.value());
    row_[place + 1] = Datum::Int(event.order.offset.value());
  }
  if (plan_->join) {
    RETURN_IF_ERROR(Join(event, arena, passes));
    if (!*passes) return absl::OkStatus();
  }
  if (plan_->where) {
    Datum condition;
    RETURN_IF_ERROR(Evaluate(*plan_->where, *row, arena, &condition));
    *passes = !condition.is_null && condition.b;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> InputRows::Admits(const Event& event,
                                       TextArena* arena) const {
  if (!plan_->where || where_reads_table_) return true;
  Datum condition;
  RETURN_IF_ERROR(Evaluate(*plan_->where, event.columns, arena, &condition));
  return !condition.is_null && condition.b;
}

absl::Status EvaluateAll(const std::vector<Expr>& exprs, Row row,
                         TextArena* arena, std::vector<Datum>* out) {
  for (size_t i = 0; i < exprs.size(); ++i) {
    RETURN_IF_ERROR(Evaluate(exprs[i], row, arena, &(*out)[i]));
  }
  return absl::OkStatus();
}

}  // namespace tidegate
