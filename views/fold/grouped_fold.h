// The fold of a view with GROUP BY or aggregates and without windows.
#ifndef TIDEGATE_VIEWS_FOLD_GROUPED_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_GROUPED_FOLD_H_

#include <array>
#include <cstddef>
#include <string>

#include "views/fold/group_fold.h"

namespace tidegate {

struct GroupState {
  AggregateStates aggregates;
  size_t bytes() const { return BytesOf(aggregates); }
  void Renew() { aggregates.clear(); }
  void Prefetch() const { tidegate::Prefetch(aggregates); }
};

// A key's state is the states of its aggregates. Folding an event of a key in
// the cache allocates nothing, longer text aside.
//
// Most of an event's time would be waiting for the memory of its key. So events
// are put off until there are several, whose keys are then fetched at once. A
// look-up that fails, which is fatal, may thus be told with a later event.
class GroupedFold : public GroupFold<GroupState> {
 public:
  // As ViewFold::Create.
  GroupedFold(const ViewPlan* plan, const SourcePlan* source,
              const SourcePlan* joined, const RowSchema* schema,
              FoldSources sources, size_t max_cached_keys);

  absl::Status Apply(const Event& event, LateEvent* late) override;
  size_t dirty_keys() const override {
    return cache_.dirty_keys() + waiting_count_;
  }

 private:
  static constexpr size_t kMaxWaiting = 16;
  struct Waiting {
    std::string key;
    size_t hash = 0;
    EventOrder order;
    AggregateInputs inputs;
    Entry* entry = nullptr;
  };

  absl::Status Settle() override;
  absl::Status Load(Entry* entry) override;
  bool Exists(const GroupState& /*state*/) const override { return true; }
  bool Shown(const GroupState& /*state*/) const override { return true; }
  bool Corrected(const GroupState& /*state*/) const override { return false; }
  void Encode(const GroupState& state, std::string* out) const override;
  absl::Status BuildRow(const Entry& entry, bool count_errors) override;

  std::array<Waiting, kMaxWaiting> waiting_;
  size_t waiting_count_ = 0;
  TextArena waiting_text_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_GROUPED_FOLD_H_
