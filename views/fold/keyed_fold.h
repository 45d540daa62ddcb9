// The fold of an ungrouped view: per key, the row of its last event.
#ifndef TIDEGATE_VIEWS_FOLD_KEYED_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_KEYED_FOLD_H_

#include <optional>
#include <string>
#include <vector>

#include "views/fold/input_rows.h"
#include "views/fold/key_cache.h"
#include "views/fold/lag_state.h"
#include "views/fold/time_index.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// "Last" is by EventOrder, not by arrival; a key's state is that order.
//
// With retention, row and state leave once the watermark is that far past the
// last event, and an event that is past it on arrival is late: so no event can
// take the place of a newer one that was forgotten. What lags look back at has
// no retention: it stays until newer events of its partition displace it.
class KeyedFold : public ViewFold {
 public:
  // As ViewFold::Create.
  KeyedFold(const ViewPlan* plan, const SourcePlan* source,
            const SourcePlan* joined, const RowSchema* schema,
            FoldSources sources, size_t max_cached_keys);

  absl::Status Open(EventTime watermark) override;
  absl::Status Apply(const Event& event, LateEvent* late) override;
  absl::StatusOr<bool> Admits(const Event& event) override;
  absl::Status Advance(EventTime watermark) override;
  // Early where a key's row was replaced by a newer event's since it came in.
  EventTime next_timer() const override { return expiries_.next(); }
  absl::Status Drain(
      absl::FunctionRef<void(const FoldedChange&)> sink) override;
  absl::Status DrainState(
      absl::FunctionRef<void(const FoldedChange&)> sink) override;
  absl::StatusOr<bool> CurrentRow(absl::string_view key,
                                  absl::string_view* row) override;
  size_t dirty_keys() const override;
  size_t cached_bytes() const override;

 private:
  struct State {
    bool has_row = false;
    EventOrder order;
    std::string row;  // uncommitted; empty while the entry is clean
    size_t bytes() const { return row.capacity(); }
  };
  using Entry = KeyCache<State>::Entry;

  absl::StatusOr<Entry*> Find(absl::string_view key);
  absl::Status MalformedState() const;
  // When a row whose last event is at `order` leaves. Requires retention.
  EventTime ExpiryOf(const EventOrder& order) const {
    return Later(order.time, *plan_->retention_us);
  }

  const ViewPlan* const plan_;
  const RowSchema* const schema_;
  StoredScan scan_;  // until Open
  InputRows input_;
  std::vector<Type> key_types_;
  KeyCache<State> cache_;
  std::optional<LagState> lags_;
  EventTime watermark_ = kNoEventTime;
  // With retention, every key that has a row exactly once, at the time its row
  // leaves or before.
  TimeIndex expiries_;

  // Scratch memory of one call.
  TextArena arena_;
  std::vector<Datum> outputs_;
  std::vector<Datum> key_;
  std::string key_bytes_;
  std::string state_bytes_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_KEYED_FOLD_H_
