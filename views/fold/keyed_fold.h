// The fold of an ungrouped view with PRIMARY KEY: per key, the row of its last
// event.
#ifndef TIDEGATE_VIEWS_FOLD_KEYED_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_KEYED_FOLD_H_

#include <string>
#include <vector>

#include "views/fold/input_rows.h"
#include "views/fold/key_cache.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// "Last" is by EventOrder, not by arrival; a key's state is that order.
class KeyedFold : public ViewFold {
 public:
  // As ViewFold::Create.
  KeyedFold(const ViewPlan* plan, const SourcePlan* source,
            const SourcePlan* joined, const RowSchema* schema,
            FoldSources sources, size_t max_cached_keys);

  absl::Status Apply(const Event& event, LateEvent* late) override;
  absl::Status Drain(
      absl::FunctionRef<void(const FoldedChange&)> sink) override;
  absl::StatusOr<bool> CurrentRow(absl::string_view key,
                                  absl::string_view* row) override;
  size_t dirty_keys() const override { return cache_.dirty_keys(); }
  size_t cached_bytes() const override { return cache_.bytes(); }

 private:
  struct State {
    bool has_row = false;
    EventOrder order;
    std::string row;  // uncommitted; empty while the entry is clean
    size_t bytes() const { return row.capacity(); }
  };
  using Entry = KeyCache<State>::Entry;

  absl::Status Load(Entry* entry) const;

  const ViewPlan* const plan_;
  const RowSchema* const schema_;
  InputRows input_;
  std::vector<Type> key_types_;
  KeyCache<State> cache_;

  // Scratch memory of one call.
  TextArena arena_;
  std::vector<Datum> outputs_;
  std::vector<Datum> key_;
  std::string key_bytes_;
  std::string state_bytes_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_KEYED_FOLD_H_
