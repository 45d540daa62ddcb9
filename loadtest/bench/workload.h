// The events of the benchmarks: orders of about 64 bytes in Protobuf.
#ifndef TIDEGATE_LOADTEST_BENCH_WORKLOAD_H_
#define TIDEGATE_LOADTEST_BENCH_WORKLOAD_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// Appends one bench.Order to `out` (cleared first).
void EncodeOrder(int64_t order_id, int64_t driver_id, int64_t event_us,
                 std::string* out);

// Writes order.proto and views.sql into `dir`: count, sum and last value per
// driver over `topic`.
absl::Status WriteBenchViews(const std::string& dir, absl::string_view topic);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_WORKLOAD_H_
