// A table's rows by event time, for joins FOR SYSTEM_TIME AS OF it. DESIGN §4.
#ifndef TIDEGATE_VIEWS_FOLD_VERSIONED_TABLE_H_
#define TIDEGATE_VIEWS_FOLD_VERSIONED_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// Per primary key the versions from the newest at or below the watermark
// upwards, ordered by EventOrder; older ones are forgotten as the watermark
// passes their successor. A deletion below the watermark is
// forgotten with its key, unless a newer version is there: so a late row older
// than that deletion counts as new. A key that was not touched since the start
// is cleared of what it no longer needs when it is touched, which shows in
// the size of its state alone. A commit writes all versions of a key that it
// changes: memory and writes grow with how often a key changes within the
// watermark's delay (before there is a watermark: in all). Runs on the fold
// thread.
class VersionedTable {
 public:
  // `source` (a table) and `schema` (its rows) must outlive it; `stored` looks
  // up what DrainState reported before.
  static std::unique_ptr<VersionedTable> Create(
      const SourcePlan* source, const RowSchema* schema, StoredLookup stored,
      size_t max_cached_keys = kMaxCachedKeys);
  virtual ~VersionedTable() = default;

  // Before anything else: the watermark of the last commit.
  virtual void Open(EventTime watermark) = 0;
  // A row, or with event.deleted its end, valid from event.order on. One that
  // comes at a time below the watermark is late: it becomes the newest version
  // from the watermark on, unless that has a greater EventOrder, and is
  // counted. A row with NULL in its key is passed over: the table's fold
  // refuses it. One with no event time is valid from its Kafka timestamp on.
  virtual absl::Status Apply(const Event& event) = 0;
  // The version of `key` (memcomparable) that was valid at `as_of`, at or above
  // the watermark. False if there was none, or it was deleted. `row` borrows
  // until the next call.
  virtual absl::StatusOr<bool> RowAsOf(absl::string_view key, EventTime as_of,
                                       absl::string_view* row) = 0;
  // Forgets versions that no event at or above `watermark` can meet.
  virtual absl::Status Advance(EventTime watermark) = 0;
  // As ViewFold::Drain; changes have state alone.
  virtual absl::Status Drain(
      absl::FunctionRef<void(const FoldedChange&)> sink) = 0;
  virtual size_t dirty_keys() const = 0;
  virtual int64_t late_rows() const = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_VERSIONED_TABLE_H_
