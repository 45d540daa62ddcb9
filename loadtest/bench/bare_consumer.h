// The limit that catch-up is measured against: librdkafka's batch API and
// nothing else.
#ifndef TIDEGATE_LOADTEST_BENCH_BARE_CONSUMER_H_
#define TIDEGATE_LOADTEST_BENCH_BARE_CONSUMER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tidegate {

inline constexpr int kMaxBareBatch = 1000;

struct BareConsumerOptions {
  std::string bootstrap_servers;
  std::string topic;
  int partitions = 4;
  bool from_end = false;  // else from the beginning
  int fetch_wait_max_ms = 100;
  // Records a call. A call waits until it has so many, or 100 ms: 1 for the
  // least latency.
  int batch = 1000;  // at most kMaxBareBatch
};

// Calls `sink` with each record's key and value until it returns false.
// `ready` is called once the first fetch is under way. Blocks.
absl::Status ConsumeBare(
    const BareConsumerOptions& options, const std::function<void()>& ready,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)>
        sink,
    const std::function<bool()>& stopped);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_BARE_CONSUMER_H_
