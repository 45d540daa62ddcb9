// One round of a latency benchmark: a server with subscribers, a bare consumer
// of the same topic, and the producer of its orders, side by side.
#ifndef TIDEGATE_LOADTEST_BENCH_LIVE_ROUND_H_
#define TIDEGATE_LOADTEST_BENCH_LIVE_ROUND_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/server_under_test.h"
#include "loadtest/bench/stamps.h"

namespace tidegate {

struct LiveRound {
  std::string topic;  // made for the round, unless there is rows_topic
  BenchFiles files;
  std::string view;
  // Each on a connection of its own, with an equal part of the keys; 0: one,
  // with the whole view.
  int64_t key_subscribers = 0;
  int64_t orders = 0;
  int64_t keys = 1;
  // On the swarm's thread: a row that was made or changed.
  std::function<void(absl::string_view row)> on_row;
  // Where another program, which reads `topic` already, writes rows of its own;
  // empty: there is none. The bare consumer then reads this, and hands each row
  // to on_bare_row on its thread, instead of stamping the orders in `bare`.
  std::string rows_topic;
  std::function<void(absl::string_view row)> on_bare_row;
  // On the caller's: whether all that is awaited has come.
  std::function<bool()> done;
  // Filled: just before produce(), the event time, at the bare consumer.
  Stamps* produced = nullptr;
  Stamps* event_times = nullptr;
  Stamps* bare = nullptr;
};

// Blocks until both sides have everything; DeadlineExceeded if they do not in
// time.
absl::Status RunLiveRound(const BenchOptions& options, const LiveRound& round);

// A field of a serialized message: a varint (0 if absent), or bytes.
int64_t VarintField(absl::string_view message, uint32_t number);
absl::string_view BytesField(absl::string_view message, uint32_t number);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_LIVE_ROUND_H_
