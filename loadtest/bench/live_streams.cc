#include <vector>

#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/live_round.h"
#include "loadtest/bench/order_stamper.h"
#include "loadtest/bench/stamps.h"
#include "loadtest/bench/workload.h"

namespace tidegate {
namespace {

BenchEntry Entry(const char* name) {
  return {
      .name = name, .unit = "ms", .against = "Kafka Streams", .paired = true};
}

}  // namespace

absl::StatusOr<std::vector<BenchEntry>> BenchLiveStreams(
    const BenchOptions& options) {
  if (options.topic.empty() || options.rows_topic.empty()) {
    return absl::InvalidArgumentError(
        "live-streams needs --topic and --rows-topic");
  }
  const int64_t orders =
      int64_t{options.rate} * (options.seconds + options.warm_up_seconds);
  const int64_t first = int64_t{options.rate} * options.warm_up_seconds;
  Stamps produced(orders);
  Stamps event_times(orders);
  Stamps ours(orders);
  Stamps theirs(orders);
  OrderStamper our_rows(options.live_keys, &ours);
  OrderStamper their_rows(options.live_keys, &theirs);
  LiveRound round;
  round.topic = options.topic;
  round.rows_topic = options.rows_topic;
  round.files = TotalsViews(options.topic);
  round.view = "driver_totals";
  round.key_subscribers = options.subscribers;
  round.orders = orders;
  round.keys = options.live_keys;
  round.on_row = [&](absl::string_view row) { our_rows.OnRow(row); };
  round.on_bare_row = [&](absl::string_view row) { their_rows.OnRow(row); };
  round.done = [&] { return our_rows.left() == 0 && their_rows.left() == 0; };
  round.produced = &produced;
  round.event_times = &event_times;
  RETURN_IF_ERROR(RunLiveRound(options, round));
  std::vector<double> ours_ms = Latencies(produced, ours, first);
  std::vector<double> theirs_ms = Latencies(produced, theirs, first);
  BenchEntry p50 = Entry("live.streams.p50");
  BenchEntry p99 = Entry("live.streams.p99");
  AddRound(&ours_ms, &theirs_ms, &p50, &p99);
  return std::vector<BenchEntry>{p50, p99};
}

}  // namespace tidegate
