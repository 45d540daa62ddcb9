// Which event lets a window close, worked out from what was produced. Pure.
#ifndef TIDEGATE_LOADTEST_BENCH_WINDOW_CLOSE_H_
#define TIDEGATE_LOADTEST_BENCH_WINDOW_CLOSE_H_

#include <cstdint>
#include <map>

#include "loadtest/bench/stamps.h"

namespace tidegate {

inline constexpr int64_t kWindowUs = 1'000'000;

struct ProducedOrders {
  const Stamps* event_times = nullptr;  // in order of production
  int64_t keys = 1;                     // order i is of driver i mod keys
  int partitions = 1;                   // driver d's is d mod partitions
  int64_t bound_us = 0;                 // of the watermark
};

// The start of each window of kWindowUs that was produced whole, from the one
// that holds order `first` on (that one excluded), with the order that
// completed the watermark for it: in every partition an order at or after the
// window's end, plus the bound, had been produced with this one.
std::map<int64_t, int64_t> CompletingOrders(const ProducedOrders& orders,
                                            int64_t first);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_WINDOW_CLOSE_H_
