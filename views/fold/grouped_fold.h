// The fold of a view with GROUP BY or aggregates.
#ifndef TIDEGATE_VIEWS_FOLD_GROUPED_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_GROUPED_FOLD_H_

#include <string>
#include <vector>

#include "views/fold/aggregate.h"
#include "views/fold/input_rows.h"
#include "views/fold/key_cache.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// A key's state is the states of its aggregates. Folding an event of a key in
// the cache allocates nothing, longer text aside.
class GroupedFold : public ViewFold {
 public:
  // As ViewFold::Create.
  GroupedFold(const ViewPlan* plan, const SourcePlan* source,
              const SourcePlan* joined, const RowSchema* schema,
              FoldSources sources, size_t max_cached_keys);

  absl::Status Apply(const Event& event, LateEvent* late) override;
  absl::Status Drain(
      absl::FunctionRef<void(const FoldedChange&)> sink) override;
  absl::StatusOr<bool> CurrentRow(absl::string_view key,
                                  absl::string_view* row) override;
  size_t dirty_keys() const override { return cache_.dirty_keys(); }
  size_t cached_bytes() const override { return cache_.bytes(); }
  int64_t output_errors() const override { return output_errors_; }
  absl::Status last_output_error() const override { return last_output_error_; }

 private:
  struct State {
    std::vector<AggregateState> aggregates;
    size_t bytes() const;
  };
  using Entry = KeyCache<State>::Entry;

  absl::Status Load(Entry* entry) const;
  // Evaluates the outputs of `entry` into row_bytes_.
  absl::Status BuildRow(const Entry& entry, bool count_errors);
  void CountError(size_t column, const absl::Status& error);

  const ViewPlan* const plan_;
  const RowSchema* const schema_;
  InputRows input_;
  std::vector<Aggregate> aggregates_;
  // In key order: the types, and which GROUP BY expression each part is.
  std::vector<Type> key_types_;
  std::vector<size_t> key_groups_;
  KeyCache<State> cache_;

  int64_t output_errors_ = 0;
  absl::Status last_output_error_;

  // Scratch memory of one call.
  TextArena arena_;
  std::vector<Datum> groups_;
  std::vector<Datum> key_;
  std::vector<AggregateInput> inputs_;
  std::vector<Datum> results_;               // GROUP BY values, then aggregates
  std::vector<absl::Status> result_errors_;  // of the aggregates
  std::vector<Datum> outputs_;
  std::string key_bytes_;
  std::string row_bytes_;
  std::string state_bytes_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_GROUPED_FOLD_H_
