#include "views/fold/group_evaluator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

// The binder did not keep what plan.h says.
[[noreturn]] void BadPlan(const ViewPlan& plan, absl::string_view what) {
  std::fprintf(stderr, "view %s: %.*s\n", plan.name.c_str(),
               static_cast<int>(what.size()), what.data());
  std::abort();
}

bool IsColumn(const Expr& expr) {
  return expr.code.size() == 1 && expr.code[0].op == Op::kColumn;
}

// Which GROUP BY expression an output column is; the binder promised one for
// every key column.
size_t GroupOf(const ViewPlan& plan, int column) {
  const Expr& output = plan.outputs[static_cast<size_t>(column)];
  if (!IsColumn(output) ||
      static_cast<size_t>(output.code[0].arg) >= plan.group_by.size()) {
    BadPlan(plan, absl::StrCat("key column ", column, " is no group"));
  }
  return static_cast<size_t>(output.code[0].arg);
}

bool IsSession(const ViewPlan& plan) {
  return plan.window && plan.window->kind == WindowKind::kSession;
}

}  // namespace

size_t BytesOf(const AggregateStates& states) {
  size_t total = states.capacity() * sizeof(AggregateState);
  for (const AggregateState& state : states) {
    if (state.text != nullptr) {
      total += sizeof(std::string) + state.text->capacity();
    }
  }
  return total;
}

GroupEvaluator::GroupEvaluator(const ViewPlan* plan, const SourcePlan* source,
                               const SourcePlan* joined,
                               const RowSchema* schema, TableLookup table)
    : plan_(plan),
      schema_(schema),
      input_(plan, source, joined, std::move(table)),
      has_window_columns_(plan->window &&
                          plan->window->kind != WindowKind::kSliding),
      groups_(plan->group_by.size()),
      inputs_(plan->aggregates.size()),
      key_(plan->key_columns.size()),
      results_(plan->group_by.size() + plan->aggregates.size()),
      result_errors_(plan->aggregates.size()),
      outputs_(plan->outputs.size()) {
  for (size_t i = 0; i < groups_.size(); ++i) {
    AddStep(plan->group_by[i], &groups_[i]);
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const AggregateCall& call = plan->aggregates[i];
    aggregates_.emplace_back(&call);
    if (call.argument) {
      AddStep(*call.argument, &inputs_[i].value);
      if (call.argument->type == Type::kVarchar) text_inputs_.push_back(i);
    }
    if (call.order_by) AddStep(*call.order_by, &inputs_[i].order_by);
  }
  for (const int column : plan->key_columns) {
    key_groups_.push_back(GroupOf(*plan, column));
    key_types_.push_back(plan->group_by[key_groups_.back()].type);
  }
  if (has_window_columns_) FindWindowParts();
  fixed_key_.resize(fixed_parts_.size());
}

bool GroupEvaluator::Reads(const Expr& expr, size_t column) const {
  return has_window_columns_ &&
         std::any_of(expr.code.begin(), expr.code.end(),
                     [column](const Instruction& in) {
                       return in.op == Op::kColumn &&
                              static_cast<size_t>(in.arg) == column;
                     });
}

bool GroupEvaluator::ReadsWindow(const Expr& expr) const {
  return Reads(expr, input_.window_column()) ||
         Reads(expr, input_.window_column() + 1);
}

void GroupEvaluator::AddStep(const Expr& expr, Datum* out) {
  if (!ReadsWindow(expr)) {
    fixed_steps_.push_back({&expr, out});
    return;
  }
  window_steps_.push_back({&expr, out});
  window_can_fail_ |= !IsColumn(expr);
}

void GroupEvaluator::FindWindowParts() {
  const size_t start_column = input_.window_column();
  bool found = false;
  for (size_t part = 0; part < key_groups_.size(); ++part) {
    const Expr& group = plan_->group_by[key_groups_[part]];
    if (!ReadsWindow(group)) {
      fixed_parts_.push_back(part);
      fixed_types_.push_back(key_types_[part]);
    } else if (IsColumn(group)) {
      found = true;
      window_part_ = part;
      window_add_us_ = Reads(group, start_column) ? plan_->window->size_us : 0;
    }
  }
  if (!found) BadPlan(*plan_, "no key column is the window's start or end");
  if (IsSession(*plan_)) CheckSession();
  for (size_t i = 0; i < plan_->group_by.size(); ++i) {
    if (Reads(plan_->group_by[i], start_column + 1)) end_groups_.push_back(i);
  }
}

// A session's end is known only when it has closed.
void GroupEvaluator::CheckSession() const {
  const size_t end_column = input_.window_column() + 1;
  for (const size_t group : key_groups_) {
    if (Reads(plan_->group_by[group], end_column)) {
      BadPlan(*plan_, "a session's end is part of the key");
    }
  }
  for (const Expr& group : plan_->group_by) {
    if (Reads(group, end_column) && !IsColumn(group)) {
      BadPlan(*plan_, "a group is made from a session's end");
    }
  }
  for (const AggregateCall& call : plan_->aggregates) {
    if ((call.argument && Reads(*call.argument, end_column)) ||
        (call.order_by && Reads(*call.order_by, end_column))) {
      BadPlan(*plan_, "an aggregate reads a session's end");
    }
  }
}

absl::Status GroupEvaluator::Run(const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    RETURN_IF_ERROR(tidegate::Evaluate(*step.expr, row_, &arena_, step.out));
  }
  return absl::OkStatus();
}

void GroupEvaluator::KeepInputs(TextArena* arena, AggregateInputs* kept) const {
  *kept = inputs_;
  for (const size_t i : text_inputs_) {
    Datum* const value = &(*kept)[i].value;
    if (!value->is_null) *value = Datum::Text(arena->Copy(value->text()));
  }
}

absl::Status GroupEvaluator::EvaluateWindow(EventTime start, EventTime end) {
  const MutableRow row = input_.mutable_row();
  row[input_.window_column()] = Datum::Int(start.value());
  row[input_.window_column() + 1] = Datum::Int(end.value());
  return Run(window_steps_);
}

absl::string_view GroupEvaluator::Key() {
  for (size_t i = 0; i < key_.size(); ++i) key_[i] = groups_[key_groups_[i]];
  key_bytes_.clear();
  EncodeKey(key_types_, key_, &key_bytes_);
  return key_bytes_;
}

absl::string_view GroupEvaluator::FixedKey() {
  for (size_t i = 0; i < fixed_key_.size(); ++i) {
    fixed_key_[i] = groups_[key_groups_[fixed_parts_[i]]];
  }
  fixed_key_bytes_.clear();
  EncodeKey(fixed_types_, fixed_key_, &fixed_key_bytes_);
  return fixed_key_bytes_;
}

absl::StatusOr<EventTime> GroupEvaluator::WindowEnd(absl::string_view key) {
  EventTime value;
  RETURN_IF_ERROR(SplitKey(key, nullptr, &value));
  int64_t end;
  if (__builtin_add_overflow(value.value(), window_add_us_, &end)) {
    return Malformed();
  }
  return EventTime(end);
}

absl::Status GroupEvaluator::SplitKey(absl::string_view key, std::string* fixed,
                                      EventTime* start) {
  key_arena_.Reset();
  RETURN_IF_ERROR_CTX(
      DecodeKey(key_types_, key, &key_arena_, absl::MakeSpan(key_)),
      absl::StrCat("view=", plan_->name));
  if (key_[window_part_].is_null) return Malformed();
  *start = EventTime(key_[window_part_].i);
  if (fixed == nullptr) return absl::OkStatus();
  for (size_t i = 0; i < fixed_key_.size(); ++i) {
    fixed_key_[i] = key_[fixed_parts_[i]];
  }
  fixed->clear();
  EncodeKey(fixed_types_, fixed_key_, fixed);
  return absl::OkStatus();
}

void GroupEvaluator::Clear(AggregateStates* states) const {
  states->clear();
  states->resize(aggregates_.size());
}

void GroupEvaluator::Merge(const AggregateStates& from,
                           AggregateStates* into) const {
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    aggregates_[i].Merge(from[i], &(*into)[i]);
  }
}

void GroupEvaluator::Encode(const AggregateStates& states,
                            std::string* out) const {
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    aggregates_[i].Encode(states[i], out);
  }
}

absl::Status GroupEvaluator::Malformed() const {
  return absl::DataLossError(
      absl::StrCat("view=", plan_->name, ": malformed state"));
}

absl::Status GroupEvaluator::Decode(absl::string_view* in,
                                    AggregateStates* states) const {
  states->resize(aggregates_.size());
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    if (!aggregates_[i].Decode(in, &(*states)[i])) return Malformed();
  }
  return absl::OkStatus();
}

void GroupEvaluator::CountError(size_t column, const absl::Status& error) {
  ++output_errors_;
  last_output_error_ =
      Annotate(error, absl::StrCat("view=", plan_->name,
                                   " column=", plan_->columns[column].name));
}

absl::Status GroupEvaluator::BuildRow(absl::string_view key,
                                      const AggregateStates& states,
                                      EventTime window_end, bool count_errors) {
  arena_.Reset();
  RETURN_IF_ERROR(DecodeKey(key_types_, key, &arena_, absl::MakeSpan(key_)));
  for (size_t i = 0; i < key_.size(); ++i) results_[key_groups_[i]] = key_[i];
  if (IsSession(*plan_)) {
    for (const size_t group : end_groups_) {
      results_[group] = Datum::Int(window_end.value());
    }
  }
  const size_t groups = groups_.size();
  bool any_error = false;
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    result_errors_[i] = aggregates_[i].Result(states[i], &results_[groups + i]);
    any_error |= !result_errors_[i].ok();
  }
  for (size_t column = 0; column < outputs_.size(); ++column) {
    const Expr& output = plan_->outputs[column];
    absl::Status error;
    if (any_error) {
      // What reads a failed aggregate fails with it.
      for (const Instruction& in : output.code) {
        const auto input = static_cast<size_t>(in.arg);
        if (in.op == Op::kColumn && input >= groups) {
          error.Update(result_errors_[input - groups]);
        }
      }
    }
    error.Update(
        tidegate::Evaluate(output, results_, &arena_, &outputs_[column]));
    if (!error.ok()) {
      outputs_[column] = Datum::Null();
      if (count_errors) CountError(column, error);
    }
  }
  row_bytes_.clear();
  EncodeRow(*schema_, outputs_, &row_bytes_);
  return absl::OkStatus();
}

}  // namespace tidegate
