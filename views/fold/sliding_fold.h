// The fold of a grouped view over SLIDING: what happened in the last `size`,
// which shrinks as time passes.
#ifndef TIDEGATE_VIEWS_FOLD_SLIDING_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_SLIDING_FOLD_H_

#include <string>
#include <vector>

#include "views/fold/group_fold.h"
#include "views/fold/time_index.h"

namespace tidegate {

// The events of one step.
struct Pane {
  EventTime start;
  AggregateStates aggregates;
};

struct SlidingState {
  std::vector<Pane> panes;  // by start, none of them empty
  size_t bytes() const;
};

// A group's events are kept by panes, and its row is made from those merged. A
// pane leaves when the watermark reaches its start + size, and the row with the
// last pane. Does not depend on the order in which events come, floating-point
// rounding and lateness aside. A key's state is a byte of flags (none yet), the
// number of panes and, of each, start and states of the aggregates. Folding an
// event into a pane in the cache allocates nothing, longer text aside.
class SlidingFold : public GroupFold<SlidingState> {
 public:
  // As ViewFold::Create.
  SlidingFold(const ViewPlan* plan, const SourcePlan* source,
              const SourcePlan* joined, const RowSchema* schema,
              FoldSources sources, size_t max_cached_keys);

  absl::Status Open(EventTime watermark) override;
  absl::Status Apply(const Event& event, LateEvent* late) override;
  absl::Status Advance(EventTime watermark) override;
  EventTime next_timer() const override { return timers_.next(); }
  size_t cached_bytes() const override {
    return cache_.bytes() + timers_.bytes();
  }

 private:
  EventTime ExpiryOf(const Pane& pane) const;
  // Takes flags and the number of panes off the front of a state.
  absl::Status DecodeCount(absl::string_view* in, uint64_t* panes) const;
  absl::Status DecodePane(absl::string_view* in, Pane* pane) const;
  absl::Status OnTimer(absl::string_view key);

  absl::Status Load(Entry* entry) override;
  bool Exists(const SlidingState& state) const override {
    return !state.panes.empty();
  }
  bool Shown(const SlidingState& /*state*/) const override { return true; }
  bool Corrected(const SlidingState& /*state*/) const override { return false; }
  void Encode(const SlidingState& state, std::string* out) const override;
  absl::Status BuildRow(const Entry& entry, bool count_errors) override;

  const WindowPlan window_;
  const StoredScan scan_;
  EventTime watermark_ = kNoEventTime;
  // Every key at the expiry of its first pane; it may be there more than once,
  // or at that of a later pane too.
  TimeIndex timers_;
  AggregateStates merged_;  // scratch memory of one row
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_SLIDING_FOLD_H_
