// What the gateway counts while it serves, for /metrics.
#ifndef TIDEGATE_GATEWAY_CORE_STATS_H_
#define TIDEGATE_GATEWAY_CORE_STATS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "gateway/core/subscription.h"

namespace tidegate {

// A histogram of latencies. Thread-safe.
class LatencyHistogram {
 public:
  // Upper bounds in milliseconds; one more bucket has no bound.
  static constexpr std::array<double, 15> kBoundsMs = {
      0.5, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 30000};
  void Observe(int64_t micros);
  uint64_t bucket(size_t i) const { return buckets_[i].load(); }
  uint64_t sum_micros() const { return sum_micros_.load(); }

 private:
  std::array<std::atomic<uint64_t>, kBoundsMs.size() + 1> buckets_{};
  std::atomic<uint64_t> sum_micros_{0};
};

// One view's subscribers. Thread-safe.
struct ViewStats {
  std::array<std::atomic<int64_t>, 3> subscribers{};  // by SubscriberState
  std::atomic<uint64_t> messages{0};
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> updates{0};  // changes sent
  std::array<std::atomic<uint64_t>, kResetCauses> resets{};
  // From a commit's clock to the message handed to the transport, of Live
  // subscribers.
  LatencyHistogram committed_to_sent;
};

// One pipeline's commits. Thread-safe.
struct PipelineStats {
  std::atomic<uint64_t> commits{0};
  std::atomic<uint64_t> changes{0};
  // From the oldest record's Kafka timestamp to the commit.
  LatencyHistogram produced_to_committed;
};

// Immutable in its shape once made; thread-safe.
class GatewayStats {
 public:
  template <typename Names>
  GatewayStats(const Names& views, const Names& pipelines) {
    for (const std::string& name : views) {
      views_.emplace(name, std::make_unique<ViewStats>());
    }
    for (const std::string& name : pipelines) {
      pipelines_.emplace(name, std::make_unique<PipelineStats>());
    }
  }
  // CHECKs that the name was given at the start.
  ViewStats& view(absl::string_view name);
  PipelineStats& pipeline(absl::string_view name);
  std::atomic<uint64_t> reads{0};               // Get and Scan
  std::atomic<uint64_t> snapshot_rows_read{0};  // shared by who arrive together
  std::atomic<uint64_t> rejected{0};            // over a limit
  std::atomic<uint64_t> drained{0};             // streams sent away
  // Streams that no drain could hand on before its deadline.
  std::atomic<uint64_t> cut{0};
  std::atomic<int64_t> behind{0};    // streams that wait for their turn to read
  std::atomic<int64_t> awaiting{0};  // ... for a snapshot's next rows
  std::atomic<uint64_t> wake_ups{0};  // of the threads that push

 private:
  std::map<std::string, std::unique_ptr<ViewStats>, std::less<>> views_;
  std::map<std::string, std::unique_ptr<PipelineStats>, std::less<>> pipelines_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_STATS_H_
