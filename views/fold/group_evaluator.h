// What all folds of grouped views share: from an event to its group and the
// aggregates' inputs, from a group's aggregates to its row.
#ifndef TIDEGATE_VIEWS_FOLD_GROUP_EVALUATOR_H_
#define TIDEGATE_VIEWS_FOLD_GROUP_EVALUATOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "views/fold/aggregate.h"
#include "views/fold/input_rows.h"
#include "views/fold/view_fold.h"

namespace tidegate {

using AggregateInputs = std::vector<AggregateInput>;
using AggregateStates = std::vector<AggregateState>;
// Heap bytes.
size_t BytesOf(const AggregateStates& states);
inline void Prefetch(const AggregateStates& states) {
  for (const AggregateState& state : states) __builtin_prefetch(&state);
}

// Runs on the fold thread. Once warm it allocates for longer text only.
class GroupEvaluator {
 public:
  // As ViewFold::Create; `plan` is grouped.
  GroupEvaluator(const ViewPlan* plan, const SourcePlan* source,
                 const SourcePlan* joined, const RowSchema* schema,
                 TableLookup table);
  GroupEvaluator(const GroupEvaluator&) = delete;
  GroupEvaluator& operator=(const GroupEvaluator&) = delete;

  // One event, in this order: Read; where it passes, Evaluate, which evaluates
  // all that does not depend on the window; if the plan has window columns,
  // EvaluateWindow for each window; then Key and Update. The event is borrowed
  // until the last of them.
  absl::Status Read(const Event& event, bool* passes) {
    arena_.Reset();
    return input_.Read(event, &arena_, &row_, passes);
  }
  absl::Status Evaluate() { return Run(fixed_steps_); }
  absl::Status EvaluateWindow(EventTime start, EventTime end);
  // Whether EvaluateWindow can fail at all.
  bool window_can_fail() const { return window_can_fail_; }
  // The group's key, memcomparable; and that of its parts that do not depend on
  // the window. Borrow until the next call.
  absl::string_view Key();
  absl::string_view FixedKey();
  void Update(const EventOrder& order, AggregateStates* states) const {
    Update(inputs_, order, states);
  }
  // Keeps what Update would fold in, to be folded in later; text in `arena`.
  void KeepInputs(TextArena* arena, AggregateInputs* kept) const;
  void Update(const AggregateInputs& inputs, const EventOrder& order,
              AggregateStates* states) const {
    for (size_t i = 0; i < inputs.size(); ++i) {
      aggregates_[i].Update(inputs[i], order, &(*states)[i]);
    }
  }

  // See ViewFold::Admits.
  absl::StatusOr<bool> Admits(const Event& event) {
    arena_.Reset();
    return input_.Admits(event, &arena_);
  }

  // When the window of `key` ends; no SESSION.
  absl::StatusOr<EventTime> WindowEnd(absl::string_view key);
  // SESSION: the parts of `key` that FixedKey is made of, and when it starts.
  absl::Status SplitKey(absl::string_view key, std::string* fixed,
                        EventTime* start);

  // Empty states of all aggregates.
  void Clear(AggregateStates* states) const;
  void Merge(const AggregateStates& from, AggregateStates* into) const;
  void Encode(const AggregateStates& states, std::string* out) const;
  // Takes the states off the front of `in`; DataLoss if they are malformed.
  absl::Status Decode(absl::string_view* in, AggregateStates* states) const;
  absl::Status Malformed() const;

  // Makes row() of a group. `window_end` is for SESSION, whose key lacks it.
  // Errors of outputs are counted if `count_errors`.
  absl::Status BuildRow(absl::string_view key, const AggregateStates& states,
                        EventTime window_end, bool count_errors);
  absl::string_view row() const { return row_bytes_; }

  int64_t output_errors() const { return output_errors_; }
  const absl::Status& last_output_error() const { return last_output_error_; }

 private:
  // An expression over the input row, and where its value goes.
  struct Step {
    const Expr* expr;
    Datum* out;
  };

  void AddStep(const Expr& expr, Datum* out);
  void FindWindowParts();
  void CheckSession() const;
  // Which of the window's columns `expr` reads.
  bool Reads(const Expr& expr, size_t column) const;
  bool ReadsWindow(const Expr& expr) const;
  absl::Status Run(const std::vector<Step>& steps);
  void CountError(size_t column, const absl::Status& error);

  const ViewPlan* const plan_;
  const RowSchema* const schema_;
  InputRows input_;
  const bool has_window_columns_;
  std::vector<Aggregate> aggregates_;
  std::vector<Step> fixed_steps_;
  std::vector<Step> window_steps_;
  bool window_can_fail_ = false;
  // In key order: the types, and which GROUP BY expression each part is.
  std::vector<Type> key_types_;
  std::vector<size_t> key_groups_;
  // Of the key's parts: those that do not depend on the window, and their
  // types; the one that is the window's start or end.
  std::vector<size_t> fixed_parts_;
  std::vector<Type> fixed_types_;
  size_t window_part_ = 0;
  int64_t window_add_us_ = 0;  // from its value to the end
  // SESSION: the GROUP BY expressions that are the window's end.
  std::vector<size_t> end_groups_;

  int64_t output_errors_ = 0;
  absl::Status last_output_error_;

  // Scratch memory of one event; steps point into groups_ and inputs_.
  TextArena arena_;
  Row row_;
  std::vector<Datum> groups_;
  AggregateInputs inputs_;
  std::vector<size_t> text_inputs_;  // those whose value is text
  std::vector<Datum> key_;
  std::vector<Datum> fixed_key_;
  std::string key_bytes_;
  std::string fixed_key_bytes_;
  // Of one stored key, and of one row.
  TextArena key_arena_;
  std::vector<Datum> results_;               // GROUP BY values, then aggregates
  std::vector<absl::Status> result_errors_;  // of the aggregates
  std::vector<Datum> outputs_;
  std::string row_bytes_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_GROUP_EVALUATOR_H_
