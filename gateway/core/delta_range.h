// A range of the change log reduced to what one subscriber must hear of it: per
// key, the first row before and the last row after.
#ifndef TIDEGATE_GATEWAY_CORE_DELTA_RANGE_H_
#define TIDEGATE_GATEWAY_CORE_DELTA_RANGE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

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
};

// Scratch of one call: it keeps the commits that it borrows from alive.
// Thread-compatible.
class DeltaRange {
 public:
  // `filter` must outlive the range.
  explicit DeltaRange(const SubscriptionFilter* filter) : filter_(filter) {}

  struct Entry {
    absl::string_view key;  // memcomparable
    bool had_row = false;   // before the range
    bool has_row = false;   // after it
    absl::string_view row;
    bool corrected = false;  // the row after it, as in a Change
  };

  // Commits come in the order of the log.
  void Add(const std::shared_ptr<const Commit>& commit);
  // By key, each once, those without a row before and after included.
  const std::vector<Entry>& Conflated();
  // About what the changes take in a message.
  size_t bytes() const { return bytes_; }
  bool empty() const { return entries_.empty(); }

 private:
  void AddChange(const Change& change);

  const SubscriptionFilter* const filter_;
  std::vector<std::shared_ptr<const Commit>> commits_;
  std::vector<Entry> entries_;
  bool sorted_ = true;
  size_t bytes_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_DELTA_RANGE_H_
