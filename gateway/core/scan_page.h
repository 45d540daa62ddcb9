// A page of a scan: rows of one read view in key order, from where the page
// before ended.
#ifndef TIDEGATE_GATEWAY_CORE_SCAN_PAGE_H_
#define TIDEGATE_GATEWAY_CORE_SCAN_PAGE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "gateway/core/delta_range.h"
#include "gateway/core/finality.h"
#include "views/store/read_view.h"

namespace tidegate {

// A page ends before it would pass the first two, and once it has reached one
// of the others. It has looked at one row at least, so that pages get on.
struct PageLimits {
  size_t max_rows = 1;   // of the page
  size_t max_bytes = 0;  // of its rows; the first may be larger
  // Rows looked at, whether they match or not, and their bytes with the keys'.
  size_t max_read_rows = std::numeric_limits<size_t>::max();
  size_t max_read_bytes = std::numeric_limits<size_t>::max();
  // Looked at only if the filter has a condition, which can cost the time.
  ProcessingTime until{std::numeric_limits<int64_t>::max()};
};

struct PageEnd {
  // There may be more rows, behind `last_key` (memcomparable), the last that
  // was looked at. False: the page is the last.
  bool more = false;
  std::string last_key;
};

// Gives `sink` the rows of `filter` (with all_rows) whose keys are behind
// `last_key`; from the first, if that is empty. `now` is the time at the call.
absl::StatusOr<PageEnd> ReadPage(
    const ReadView& rows, const SubscriptionFilter& filter,
    const WindowEnd& window, absl::string_view last_key,
    const PageLimits& limits, absl::FunctionRef<ProcessingTime()> now,
    absl::FunctionRef<void(absl::string_view row, Finality finality)> sink);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SCAN_PAGE_H_
