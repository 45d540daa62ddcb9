// The fold of a served table: the rows of a FORMAT UPSERT topic.
#ifndef TIDEGATE_VIEWS_FOLD_TABLE_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_TABLE_FOLD_H_

#include <string>
#include <vector>

#include "views/fold/key_cache.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// A value replaces its key's whole row, a tombstone removes it, in the order of
// reading. There is no state beside the row.
class TableFold : public ViewFold {
 public:
  // As ViewFold::Create.
  TableFold(const ViewPlan* plan, const SourcePlan* source,
            const RowSchema* schema, StoredLookup stored,
            size_t max_cached_keys);

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
    std::string row;  // uncommitted; empty while the entry is clean
    size_t bytes() const { return row.capacity(); }
  };
  using Entry = KeyCache<State>::Entry;

  const ViewPlan* const plan_;
  const SourcePlan* const source_;
  const RowSchema* const schema_;
  std::vector<Type> key_types_;
  KeyCache<State> cache_;

  // Scratch memory of one call.
  std::vector<Datum> key_;
  std::string key_bytes_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_TABLE_FOLD_H_
