// Reading topics from their start, once: by a server, and by librdkafka alone.
#ifndef TIDEGATE_LOADTEST_BENCH_CATCHUP_ROUND_H_
#define TIDEGATE_LOADTEST_BENCH_CATCHUP_ROUND_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/server_under_test.h"

namespace tidegate {

struct CatchupResult {
  double rate = 0;    // events/s, from the process's start
  double cpu_us = 0;  // user + system of the whole process, an event
};

// `bench bare-consumer` on `topic`, as a process of its own.
absl::StatusOr<CatchupResult> CatchUpBare(const BenchOptions& options,
                                          const std::string& topic,
                                          int64_t events);

// `serve` over `files`, until it has folded `records`, of which `events` count.
absl::StatusOr<CatchupResult> CatchUpServer(const BenchOptions& options,
                                            const BenchFiles& files,
                                            int64_t records, int64_t events);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_CATCHUP_ROUND_H_
