// The events of the benchmarks: orders of about 64 bytes in Protobuf.
#ifndef TIDEGATE_LOADTEST_BENCH_WORKLOAD_H_
#define TIDEGATE_LOADTEST_BENCH_WORKLOAD_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "loadtest/bench/server_under_test.h"

namespace tidegate {

// Appends one bench.Order to `out` (cleared first).
void EncodeOrder(int64_t order_id, int64_t driver_id, int64_t event_us,
                 std::string* out);

// order.proto and views over `topic`: driver_totals has count, sum and last
// value per driver.
BenchFiles TotalsViews(absl::string_view topic);

// order.proto and views over `topic`: driver_seconds counts the orders of each
// driver in each second, and emits when the window closes; columns
// window_start, driver_id, orders. The watermark is kOrderBoundUs behind.
BenchFiles SecondsViews(absl::string_view topic);
inline constexpr int64_t kOrderBoundUs = 1'000;

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_WORKLOAD_H_
