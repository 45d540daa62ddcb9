// The fold of one view: events in, changed rows out. Pure.
#ifndef TIDEGATE_VIEWS_FOLD_VIEW_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_VIEW_FOLD_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "views/fold/event.h"
#include "views/fold/row_codec.h"
#include "views/plan/plan.h"

namespace tidegate {

// What is stored for a key: the row clients see (absent while there is none)
// and the fold's state, both opaque to the store.
struct Stored {
  bool has_row = false;
  absl::string_view row;
  absl::string_view state;
};

// Looks up what is stored for a memcomparable key of this view as of the last
// commit; returns false if nothing is. The views borrow until the next call.
using StoredLookup =
    std::function<absl::StatusOr<bool>(absl::string_view key, Stored* stored)>;

// Calls its argument for everything stored of this view, in key order, rows
// that clients do not see included; stops at an error, which it returns.
using StoredScan = std::function<absl::Status(
    absl::FunctionRef<absl::Status(absl::string_view key, const Stored&)>)>;

// Looks up the row of a joined table by the table's primary key values: as it
// is now (uncommitted changes included), or, for a join as of event time, as it
// was at `as_of`. Fills `row` (the table's columns) and returns true, or
// returns false. Text borrows until the next call.
using TableLookup = std::function<absl::StatusOr<bool>(Row key, EventTime as_of,
                                                       MutableRow row)>;

// What a fold reads of its surroundings.
struct FoldSources {
  StoredLookup stored;
  StoredScan scan;
  // Of the state beside the rows (CatalogView::state_id); lags only.
  StoredLookup stored_state;
  TableLookup table;  // joins only
};

// One change of a commit, borrowed: `before` and `after` are the row at the
// last commit and now.
struct FoldedChange {
  absl::string_view key;
  bool has_before = false;
  absl::string_view before;
  bool has_after = false;
  absl::string_view after;
  absl::string_view state;  // empty and !has_after: the key is gone altogether
  // The row was changed after its window had closed.
  bool corrected = false;
};

// For which windows of one view an event came too late: their starts, or none
// where the view has no windows.
struct LateEvent {
  bool late = false;
  std::vector<EventTime> windows;
};

inline constexpr size_t kMaxCachedKeys = 1 << 20;

// Runs on the fold thread. Keeps the decoded states of the keys it touched, at
// most kMaxCachedKeys of them between commits (clean ones are evicted first; a
// commit is due before dirty ones reach the limit: see dirty_keys()).
class ViewFold {
 public:
  // `plan`, `source`, `joined` and `schema` must outlive the fold. `joined` is
  // the table that plan->join names, null without a join.
  static std::unique_ptr<ViewFold> Create(
      const ViewPlan* plan, const SourcePlan* source, const SourcePlan* joined,
      const RowSchema* schema, FoldSources sources,
      size_t max_cached_keys = kMaxCachedKeys);
  virtual ~ViewFold() = default;

  // Before anything else: the watermark of the last commit. Finds again what
  // waits for a later one, which may take a scan of the view.
  virtual absl::Status Open(EventTime watermark);

  // Folds one event. Events may come in any order across partitions; within a
  // table's partition they come in offset order; for an ordered view all come
  // in EventOrder, below the watermark that Advance() will be given next.
  // Windows that are closed for good do not take it: they are added to `late`
  // (which the caller has emptied), the others do. InvalidArgument/OutOfRange
  // (overflow, division by zero, failed cast, no event time where windows need
  // one) leave the fold as it was: the event is diverted for this view. Other
  // codes come from the lookups, perhaps for an event before, and are fatal to
  // the pipeline: the fold is of no more use.
  virtual absl::Status Apply(const Event& event, LateEvent* late) = 0;

  // Ordered views only: whether an event that is too late for the reorder
  // buffer would have been folded, as far as its filter can tell.
  virtual absl::StatusOr<bool> Admits(const Event& event);

  // The watermark moves to `watermark`, never back: closes windows, removes
  // rows whose retention is over. What changes is in the next Drain.
  virtual absl::Status Advance(EventTime watermark);
  // The least watermark at which Advance() would change something;
  // kNeverEventTime if there is none.
  virtual EventTime next_timer() const { return kNeverEventTime; }

  // Calls `sink` for every key whose row or state differs from the last commit,
  // in key order, and makes the present the last commit. Keys whose row and
  // state are byte for byte the same are not reported. A status other than OK
  // (e.g. a sum out of BIGINT's range is not one: it reads NULL) is fatal.
  virtual absl::Status Drain(
      absl::FunctionRef<void(const FoldedChange&)> sink) = 0;
  // The same for the state beside the rows; such changes have no rows.
  virtual absl::Status DrainState(
      absl::FunctionRef<void(const FoldedChange&)> sink);

  // The current row of `key` (memcomparable), uncommitted changes included:
  // for table lookups of joins. Borrows until the next call.
  virtual absl::StatusOr<bool> CurrentRow(absl::string_view key,
                                          absl::string_view* row) = 0;

  // Keys touched since the last commit, perhaps a few of them counted twice;
  // bytes held for all cached keys.
  virtual size_t dirty_keys() const = 0;
  virtual size_t cached_bytes() const = 0;

  // How often a drain wrote NULL for an output whose expression failed (sum out
  // of BIGINT's range, division by zero), and the last such failure, which
  // names the column. Only grouped views have them.
  virtual int64_t output_errors() const { return 0; }
  virtual absl::Status last_output_error() const { return absl::OkStatus(); }
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_VIEW_FOLD_H_
