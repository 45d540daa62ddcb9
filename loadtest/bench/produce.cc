#include "absl/status/status.h"
#include "base/status_macros.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/load.h"
#include "loadtest/bench/workload.h"

namespace tidegate {

absl::Status ProduceForBench(const BenchOptions& options, int64_t first,
                             const std::string& views_dir) {
  if (!views_dir.empty()) {
    RETURN_IF_ERROR(WriteBenchFiles(views_dir, TotalsViews(options.topic)));
  }
  absl::Status made = CreateBenchTopic(options.bootstrap_servers, options.topic,
                                       options.partitions);
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  return ProduceOrders({.bootstrap_servers = options.bootstrap_servers,
                        .topic = options.topic,
                        .partitions = options.partitions,
                        .first = first,
                        .events = options.events,
                        .keys = options.keys,
                        .rate = options.burst_ms == 0 ? 0 : options.rate,
                        .burst_ms = options.burst_ms},
                       nullptr);
}

}  // namespace tidegate
