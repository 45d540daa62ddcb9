// What lag() looks back at: state beside a view's rows.
#ifndef TIDEGATE_VIEWS_FOLD_LAG_STATE_H_
#define TIDEGATE_VIEWS_FOLD_LAG_STATE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "views/fold/key_cache.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// Longer lags keep fewer keys in the cache: as many as there would be if each
// had this many values.
inline constexpr size_t kLagValuesPerCachedKey = 16;

// Per PARTITION BY key, of each lag the last `distance` values of its argument,
// NULLs among them. They are kept until newer ones displace them, so a
// partition without events keeps its state: there is no retention. A commit
// writes the whole state of the partitions that it touched. Runs on the fold
// thread.
class LagState {
 public:
  // `plan` must outlive it; `stored` looks up what Drain reported before.
  LagState(const ViewPlan* plan, StoredLookup stored, size_t max_cached_keys);

  // Fills `results`, one per lag, for an event with this input row, which is
  // the next in order. Changes nothing. The results borrow until Push.
  absl::Status Read(Row row, TextArena* arena, MutableRow results);
  // The event of the last Read, which was OK and whose row is still there, is
  // now what later ones look back at.
  void Push();

  // As ViewFold::DrainState.
  absl::Status Drain(absl::FunctionRef<void(const FoldedChange&)> sink);
  size_t dirty_keys() const { return cache_.dirty_keys(); }
  size_t bytes() const { return cache_.bytes(); }

 private:
  struct Value {
    Datum datum;
    std::unique_ptr<const std::string> text;  // what `datum` borrows
  };
  // The last values of one lag's argument, in a ring once it is full.
  struct Past {
    std::vector<Value> values;
    size_t oldest = 0;
  };
  struct State {
    std::vector<Past> pasts;  // by lag
    size_t bytes() const;
  };
  using Entry = KeyCache<State>::Entry;

  absl::Status Load(Entry* entry) const;
  static Value Keep(Type type, const Datum& datum);
  void Add(size_t lag, Value value, State* state) const;

  const ViewPlan* const plan_;
  std::vector<Type> key_types_;
  KeyCache<State> cache_;

  // Of the last Read.
  Entry* entry_ = nullptr;
  std::vector<Datum> arguments_;

  // Scratch memory of one call.
  std::vector<Datum> key_;
  std::string key_bytes_;
  std::string state_bytes_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_LAG_STATE_H_
