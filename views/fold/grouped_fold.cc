#include "views/fold/grouped_fold.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

// Which GROUP BY expression an output column is; the binder promised one for
// every key column.
size_t GroupOf(const ViewPlan& plan, int column) {
  const Expr& output = plan.outputs[static_cast<size_t>(column)];
  if (output.code.size() != 1 || output.code[0].op != Op::kColumn ||
      static_cast<size_t>(output.code[0].arg) >= plan.group_by.size()) {
    std::fprintf(stderr, "view %s: key column %d is no group\n",
                 plan.name.c_str(), column);
    std::abort();
  }
  return static_cast<size_t>(output.code[0].arg);
}

}  // namespace

size_t GroupedFold::State::bytes() const {
  size_t total = aggregates.capacity() * sizeof(AggregateState);
  for (const AggregateState& state : aggregates) {
    if (state.text != nullptr) {
      total += sizeof(std::string) + state.text->capacity();
    }
  }
  return total;
}

GroupedFold::GroupedFold(const ViewPlan* plan, const SourcePlan* source,
                         const SourcePlan* joined, const RowSchema* schema,
                         FoldSources sources, size_t max_cached_keys)
    : plan_(plan),
      schema_(schema),
      input_(plan, source, joined, std::move(sources.table)),
      cache_(std::move(sources.stored), max_cached_keys),
      groups_(plan->group_by.size()),
      key_(plan->key_columns.size()),
      inputs_(plan->aggregates.size()),
      results_(plan->group_by.size() + plan->aggregates.size()),
      result_errors_(plan->aggregates.size()),
      outputs_(plan->outputs.size()) {
  for (const AggregateCall& call : plan->aggregates) {
    aggregates_.emplace_back(&call);
  }
  for (const int column : plan->key_columns) {
    key_groups_.push_back(GroupOf(*plan, column));
    key_types_.push_back(plan->group_by[key_groups_.back()].type);
  }
}

absl::Status GroupedFold::Load(Entry* entry) const {
  entry->state.aggregates.resize(aggregates_.size());
  if (!entry->has_row && entry->state_bytes.empty()) return absl::OkStatus();
  absl::string_view in = entry->state_bytes;
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    if (!aggregates_[i].Decode(&in, &entry->state.aggregates[i])) {
      return absl::DataLossError(
          absl::StrCat("view=", plan_->name, ": malformed state"));
    }
  }
  if (!in.empty()) {
    return absl::DataLossError(
        absl::StrCat("view=", plan_->name, ": malformed state: bytes left"));
  }
  return absl::OkStatus();
}

absl::Status GroupedFold::Apply(const Event& event, LateEvent* /*late*/) {
  arena_.Reset();
  Row row;
  bool passes;
  RETURN_IF_ERROR(input_.Read(event, &arena_, &row, &passes));
  if (!passes) return absl::OkStatus();
  RETURN_IF_ERROR(EvaluateAll(plan_->group_by, row, &arena_, &groups_));
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const AggregateCall& call = plan_->aggregates[i];
    if (call.argument) {
      RETURN_IF_ERROR(
          Evaluate(*call.argument, row, &arena_, &inputs_[i].value));
    }
    if (call.order_by) {
      RETURN_IF_ERROR(
          Evaluate(*call.order_by, row, &arena_, &inputs_[i].order_by));
    }
  }
  for (size_t i = 0; i < key_.size(); ++i) key_[i] = groups_[key_groups_[i]];
  key_bytes_.clear();
  EncodeKey(key_types_, key_, &key_bytes_);
  ASSIGN_OR_RETURN(
      Entry* const entry,
      cache_.Find(key_bytes_, [this](Entry* loaded) { return Load(loaded); }));
  // Nothing below can fail.
  for (size_t i = 0; i < inputs_.size(); ++i) {
    aggregates_[i].Update(inputs_[i], event.order, &entry->state.aggregates[i]);
  }
  cache_.MarkDirty(entry);
  return absl::OkStatus();
}

void GroupedFold::CountError(size_t column, const absl::Status& error) {
  ++output_errors_;
  last_output_error_ =
      Annotate(error, absl::StrCat("view=", plan_->name,
                                   " column=", plan_->columns[column].name));
}

absl::Status GroupedFold::BuildRow(const Entry& entry, bool count_errors) {
  arena_.Reset();
  RETURN_IF_ERROR(
      DecodeKey(key_types_, entry.key, &arena_, absl::MakeSpan(key_)));
  for (size_t i = 0; i < key_.size(); ++i) results_[key_groups_[i]] = key_[i];
  const size_t groups = groups_.size();
  bool any_error = false;
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    result_errors_[i] =
        aggregates_[i].Result(entry.state.aggregates[i], &results_[groups + i]);
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
    error.Update(Evaluate(output, results_, &arena_, &outputs_[column]));
    if (!error.ok()) {
      outputs_[column] = Datum::Null();
      if (count_errors) CountError(column, error);
    }
  }
  row_bytes_.clear();
  EncodeRow(*schema_, outputs_, &row_bytes_);
  return absl::OkStatus();
}

absl::Status GroupedFold::Drain(
    absl::FunctionRef<void(const FoldedChange&)> sink) {
  for (Entry* const entry : cache_.SortDirty()) {
    RETURN_IF_ERROR(BuildRow(*entry, /*count_errors=*/true));
    state_bytes_.clear();
    for (size_t i = 0; i < aggregates_.size(); ++i) {
      aggregates_[i].Encode(entry->state.aggregates[i], &state_bytes_);
    }
    if (entry->has_row && entry->row == row_bytes_ &&
        entry->state_bytes == state_bytes_) {
      continue;
    }
    sink({.key = entry->key,
          .has_before = entry->has_row,
          .before = entry->row,
          .has_after = true,
          .after = row_bytes_,
          .state = state_bytes_});
    entry->has_row = true;
    entry->row.assign(row_bytes_);
    entry->state_bytes.assign(state_bytes_);
  }
  cache_.FinishDrain();
  return absl::OkStatus();
}

absl::StatusOr<bool> GroupedFold::CurrentRow(absl::string_view key,
                                             absl::string_view* row) {
  ASSIGN_OR_RETURN(Entry* const entry, cache_.Find(key, [this](Entry* loaded) {
    return Load(loaded);
  }));
  if (!entry->dirty) {
    *row = entry->row;
    return entry->has_row;
  }
  RETURN_IF_ERROR(BuildRow(*entry, /*count_errors=*/false));
  *row = row_bytes_;
  return true;
}

}  // namespace tidegate
