// A range of the change log reduced to what one subscriber must hear of it: per
// key, the first row before and the last row after.
#ifndef TIDEGATE_GATEWAY_CORE_DELTA_RANGE_H_
#define TIDEGATE_GATEWAY_CORE_DELTA_RANGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "views/store/commit.h"

namespace tidegate {

class RowFilter;

// Which rows of which view: all, those whose key begins with `prefix`, or those
// with one of `keys`; of these, those that match `where`.
struct SubscriptionFilter {
  ViewId view;
  bool all_rows = true;
  // Memcomparable, sorted and unique; unless all_rows.
  std::vector<std::string> keys;
  // The keys come and go, as in a session: a token does not depend on them.
  bool growing = false;
  std::string prefix;                      // memcomparable; with all_rows only
  std::shared_ptr<const RowFilter> where;  // null: every row matches

  // Rows of this key are looked at.
  bool InScope(absl::string_view key) const;
  // Of a row of the view whose key is in scope. DataLoss if it is malformed.
  absl::StatusOr<bool> Matches(absl::string_view row) const;
};

// What a subscriber must hear of a key.
enum class ChangeKind : uint8_t {
  kNone,
  kUpsert,   // the row after matches
  kLeft,     // it exists and does not match, and one that did may be held
  kDeleted,  // there is none, and one that matched may be held
};

// Scratch of one call: it keeps the commits that it borrows from alive.
// Thread-compatible.
class DeltaRange {
 public:
  enum class Held : uint8_t {
    kAtStart,  // the client holds what matched before the range, no more
    kUnknown,  // it may hold any row of the range: all is taken back that does
               // not match after it
  };
  // `filter` must outlive the range.
  explicit DeltaRange(const SubscriptionFilter* filter,
                      Held held = Held::kAtStart)
      : filter_(filter), held_(held) {}

  struct Entry {
    absl::string_view key;  // memcomparable
    // Before the range and after it; null data: there is none.
    absl::string_view before;
    absl::string_view row;
    bool corrected = false;  // the row after it, as in a Change
    // What is known of `before` and `row`: -1 nothing, 0 and 1 the match.
    int8_t before_matches = -1;
    int8_t row_matches = -1;
    ChangeKind kind = ChangeKind::kNone;
  };

  // Commits come in the order of the log.
  void Add(const std::shared_ptr<const Commit>& commit);
  // Makes entries() each key once, by key, without those of kNone.
  absl::Status Conflate();
  const std::vector<Entry>& entries() const { return entries_; }
  // About what the changes take in a message, exact after Conflate.
  size_t bytes() const { return bytes_; }

 private:
  void AddChange(const Change& change);
  absl::Status Judge(Entry* entry) const;

  const SubscriptionFilter* const filter_;
  const Held held_;
  std::vector<std::shared_ptr<const Commit>> commits_;
  std::vector<Entry> entries_;
  bool conflated_ = true;
  size_t bytes_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_DELTA_RANGE_H_
