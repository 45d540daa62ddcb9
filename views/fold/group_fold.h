// What all folds of grouped views are: keys in a cache, drained into rows.
#ifndef TIDEGATE_VIEWS_FOLD_GROUP_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_GROUP_FOLD_H_

#include <string>
#include <utility>

#include "views/fold/group_evaluator.h"
#include "views/fold/key_cache.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// State is as for KeyCache. Runs on the fold thread.
template <typename State>
class GroupFold : public ViewFold {
 public:
  absl::Status Drain(absl::FunctionRef<void(const FoldedChange&)> sink) final {
    RETURN_IF_ERROR(Settle());
    return cache_.Drain(
        [this, &sink](Entry* entry) { return DrainEntry(entry, sink); });
  }

  absl::StatusOr<bool> CurrentRow(absl::string_view key,
                                  absl::string_view* row) final {
    RETURN_IF_ERROR(Settle());
    ASSIGN_OR_RETURN(Entry* const entry, Find(key));
    if (!entry->dirty) {
      *row = entry->row;
      return entry->has_row;
    }
    if (!Exists(entry->state) || !Shown(entry->state)) return false;
    RETURN_IF_ERROR(BuildRow(*entry, /*count_errors=*/false));
    *row = groups_.row();
    return true;
  }

  absl::StatusOr<bool> Admits(const Event& event) final {
    return groups_.Admits(event);
  }
  size_t dirty_keys() const override { return cache_.dirty_keys(); }
  size_t cached_bytes() const override { return cache_.bytes(); }
  int64_t output_errors() const final { return groups_.output_errors(); }
  absl::Status last_output_error() const final {
    return groups_.last_output_error();
  }

 protected:
  using Entry = typename KeyCache<State>::Entry;

  // As ViewFold::Create.
  GroupFold(const ViewPlan* plan, const SourcePlan* source,
            const SourcePlan* joined, const RowSchema* schema,
            FoldSources sources, size_t max_cached_keys)
      : plan_(plan),
        groups_(plan, source, joined, schema, std::move(sources.table)),
        cache_(std::move(sources.stored), max_cached_keys) {}

  absl::StatusOr<Entry*> Find(absl::string_view key) {
    return Find(key, cache_.HashOf(key));
  }
  absl::StatusOr<Entry*> Find(absl::string_view key, size_t hash) {
    return cache_.Find(key, hash,
                       [this](Entry* loaded) { return Load(loaded); });
  }

  // Folds the events that Apply has put off.
  virtual absl::Status Settle() { return absl::OkStatus(); }
  // Makes the state of what is stored, or of what is not.
  virtual absl::Status Load(Entry* entry) = 0;
  // Whether anything is to be stored of a key that was touched, whether its
  // row is visible, and was changed after its window had closed.
  virtual bool Exists(const State& state) const = 0;
  virtual bool Shown(const State& state) const = 0;
  virtual bool Corrected(const State& state) const = 0;
  // Appends the state's bytes.
  virtual void Encode(const State& state, std::string* out) const = 0;
  // Makes groups_.row().
  virtual absl::Status BuildRow(const Entry& entry, bool count_errors) = 0;

  const ViewPlan* const plan_;
  GroupEvaluator groups_;
  KeyCache<State> cache_;

 private:
  absl::Status DrainEntry(Entry* entry,
                          absl::FunctionRef<void(const FoldedChange&)> sink) {
    state_bytes_.clear();
    const bool exists = Exists(entry->state);
    const bool shown = exists && Shown(entry->state);
    absl::string_view row;
    if (shown) {
      RETURN_IF_ERROR(BuildRow(*entry, /*count_errors=*/true));
      row = groups_.row();
    }
    if (exists) Encode(entry->state, &state_bytes_);
    if (entry->has_row == shown && entry->row == row &&
        entry->state_bytes == state_bytes_) {
      return absl::OkStatus();
    }
    sink({.key = entry->key,
          .has_before = entry->has_row,
          .before = entry->row,
          .has_after = shown,
          .after = row,
          .state = state_bytes_,
          .corrected = shown && Corrected(entry->state)});
    entry->has_row = shown;
    entry->row.assign(row.data(), row.size());
    entry->state_bytes.assign(state_bytes_);
    return absl::OkStatus();
  }

  std::string state_bytes_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_GROUP_FOLD_H_
