// The fold of a view with GROUP BY or aggregates and without windows.
#ifndef TIDEGATE_VIEWS_FOLD_GROUPED_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_GROUPED_FOLD_H_

#include <string>

#include "views/fold/group_fold.h"

namespace tidegate {

struct GroupState {
  AggregateStates aggregates;
  size_t bytes() const { return BytesOf(aggregates); }
};

// A key's state is the states of its aggregates. Folding an event of a key in
// the cache allocates nothing, longer text aside.
class GroupedFold : public GroupFold<GroupState> {
 public:
  // As ViewFold::Create.
  GroupedFold(const ViewPlan* plan, const SourcePlan* source,
              const SourcePlan* joined, const RowSchema* schema,
              FoldSources sources, size_t max_cached_keys);

  absl::Status Apply(const Event& event, LateEvent* late) override;

 private:
  absl::Status Load(Entry* entry) override;
  bool Exists(const GroupState& /*state*/) const override { return true; }
  bool Shown(const GroupState& /*state*/) const override { return true; }
  bool Corrected(const GroupState& /*state*/) const override { return false; }
  void Encode(const GroupState& state, std::string* out) const override;
  absl::Status BuildRow(const Entry& entry, bool count_errors) override;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_GROUPED_FOLD_H_
