#include "loadtest/bench/window_close.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/live_round.h"
#include "loadtest/bench/load.h"
#include "loadtest/bench/workload.h"

namespace tidegate {
namespace {

// When each row of driver_seconds came: window_start is field 1, driver_id
// field 2. Thread-safe.
class RowTimes {
 public:
  void OnRow(absl::string_view row) {
    const int64_t now = Clock::System()->Now().value();
    const absl::string_view start = BytesField(row, 1);
    const int64_t start_us =
        VarintField(start, 1) * 1'000'000 + VarintField(start, 2) / 1000;
    MutexLock lock(&mutex_);
    times_.emplace(std::pair(start_us, VarintField(row, 2)), now);
  }
  bool Has(const std::map<int64_t, int64_t>& windows, int64_t keys) const {
    MutexLock lock(&mutex_);
    for (const auto& [start, order] : windows) {
      for (int64_t key = 0; key < keys; ++key) {
        if (!times_.contains({start, key})) return false;
      }
    }
    return true;
  }
  // Milliseconds from producing the completing order to each of its window's
  // rows.
  std::vector<double> LatenciesFrom(const std::map<int64_t, int64_t>& windows,
                                    const Stamps& produced) const {
    MutexLock lock(&mutex_);
    std::vector<double> result;
    for (const auto& [place, received] : times_) {
      const auto window = windows.find(place.first);
      if (window == windows.end()) continue;
      result.push_back(
          static_cast<double>(received - produced.Get(window->second)) / 1000);
    }
    return result;
  }

 private:
  mutable Mutex mutex_;
  std::map<std::pair<int64_t, int64_t>, int64_t> times_ ABSL_GUARDED_BY(mutex_);
};

struct Samples {
  std::vector<double> every_ms;  // of every order, bare
  std::vector<double> bare_ms;   // of the completing orders
  std::vector<double> ours_ms;   // of every row
};

absl::StatusOr<Samples> RunRound(const BenchOptions& options, int number) {
  const int64_t orders =
      int64_t{options.rate} * (options.seconds + options.warm_up_seconds);
  const int64_t first = int64_t{options.rate} * options.warm_up_seconds;
  Stamps produced(orders);
  Stamps event_times(orders);
  Stamps bare(orders);
  RowTimes rows;
  std::map<int64_t, int64_t> windows;
  LiveRound round;
  round.topic = absl::StrCat("bench-window-close-", getpid(), "-", number);
  round.files = SecondsViews(round.topic);
  round.view = "driver_seconds";
  round.orders = orders;
  round.keys = options.window_keys;
  round.on_row = [&rows](absl::string_view row) { rows.OnRow(row); };
  round.done = [&] {
    if (windows.empty()) {
      windows = CompletingOrders({.event_times = &event_times,
                                  .keys = options.window_keys,
                                  .partitions = options.partitions,
                                  .bound_us = kOrderBoundUs},
                                 first);
    }
    return rows.Has(windows, options.window_keys);
  };
  round.produced = &produced;
  round.event_times = &event_times;
  round.bare = &bare;
  RETURN_IF_ERROR(RunLiveRound(options, round));
  if (windows.empty()) {
    return absl::InvalidArgumentError("no whole window: --seconds is too few");
  }
  Samples samples{.every_ms = Latencies(produced, bare, first),
                  .ours_ms = rows.LatenciesFrom(windows, produced)};
  for (const auto& [start, order] : windows) {
    samples.bare_ms.push_back(
        static_cast<double>(bare.Get(order) - produced.Get(order)) / 1000);
  }
  return samples;
}

}  // namespace

std::map<int64_t, int64_t> CompletingOrders(const ProducedOrders& orders,
                                            int64_t first) {
  std::map<int64_t, int64_t> windows;
  if (first >= orders.event_times->size()) return windows;
  // Per partition, how far its watermark has come.
  std::vector<int64_t> reached(static_cast<size_t>(orders.partitions), 0);
  const int64_t first_us = orders.event_times->Get(first);
  int64_t end = first_us - first_us % kWindowUs + 2 * kWindowUs;
  for (int64_t i = 0; i < orders.event_times->size(); ++i) {
    const int partition = PartitionOfDriver(i % orders.keys, orders.partitions);
    int64_t& mine = reached[static_cast<size_t>(partition)];
    mine = std::max(mine, orders.event_times->Get(i) - orders.bound_us);
    while (*std::min_element(reached.begin(), reached.end()) >= end) {
      windows.emplace(end - kWindowUs, i);
      end += kWindowUs;
    }
  }
  return windows;
}

absl::StatusOr<std::vector<BenchEntry>> BenchWindowClose(
    const BenchOptions& options) {
  if (options.window_keys < options.partitions) {
    return absl::InvalidArgumentError(
        absl::StrCat("fewer keys than partitions: ", options.window_keys));
  }
  BenchEntry p50 = LatencyEntry("window-close.p50", 5);
  BenchEntry p99 = LatencyEntry("window-close.p99", 30);
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(Samples samples, RunRound(options, round));
    AddRound(&samples.ours_ms, &samples.bare_ms, &p50, &p99);
    std::fprintf(stderr,
                 "round %d: bare p50 %.2f ms p99 %.2f ms, ours p50 %.2f ms p99 "
                 "%.2f ms, %zu windows, %zu rows; every event bare p50 %.2f ms "
                 "p99 %.2f ms\n",
                 round + 1, p50.against_samples.back(),
                 p99.against_samples.back(), p50.ours_samples.back(),
                 p99.ours_samples.back(), samples.bare_ms.size(),
                 samples.ours_ms.size(), Percentile(&samples.every_ms, 50),
                 Percentile(&samples.every_ms, 99));
  }
  return std::vector<BenchEntry>{p50, p99};
}

}  // namespace tidegate
