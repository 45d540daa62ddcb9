#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/live_round.h"
#include "loadtest/bench/order_stamper.h"
#include "loadtest/bench/stamps.h"
#include "loadtest/bench/workload.h"

namespace tidegate {
namespace {

struct Samples {
  std::vector<double> bare_ms;
  std::vector<double> ours_ms;
};

absl::StatusOr<Samples> RunRound(const BenchOptions& options, int number) {
  const int64_t orders =
      int64_t{options.rate} * (options.seconds + options.warm_up_seconds);
  Stamps produced(orders);
  Stamps event_times(orders);
  Stamps bare(orders);
  Stamps ours(orders);
  OrderStamper stamper(options.live_keys, &ours);
  LiveRound round;
  round.topic = absl::StrCat("bench-live-", getpid(), "-", number);
  round.files = TotalsViews(round.topic);
  round.view = "driver_totals";
  round.key_subscribers = options.subscribers;
  round.orders = orders;
  round.keys = options.live_keys;
  round.on_row = [&stamper](absl::string_view row) { stamper.OnRow(row); };
  round.done = [&stamper] { return stamper.left() == 0; };
  round.produced = &produced;
  round.event_times = &event_times;
  round.bare = &bare;
  RETURN_IF_ERROR(RunLiveRound(options, round));
  const int64_t first = int64_t{options.rate} * options.warm_up_seconds;
  return Samples{Latencies(produced, bare, first),
                 Latencies(produced, ours, first)};
}

void Append(const std::vector<double>& from, std::vector<double>* to) {
  to->insert(to->end(), from.begin(), from.end());
}

// Percentiles of all rounds together: {"percents","ours_ms","bare_ms"}.
absl::Status WriteDistribution(const std::string& path, Samples* samples) {
  std::vector<double> percents;
  for (int percent = 1; percent < 99; ++percent) percents.push_back(percent);
  for (const double percent : {99.0, 99.5, 99.9, 99.95, 99.99, 100.0}) {
    percents.push_back(percent);
  }
  std::string text;
  JsonWriter json(&text);
  const auto write = [&](const char* name,
                         absl::FunctionRef<double(double)> value) {
    json.Key(name).BeginArray();
    for (const double percent : percents) json.Double(value(percent));
    json.EndArray();
  };
  json.BeginObject();
  write("percents", [](double percent) { return percent; });
  write("ours_ms", [samples](double percent) {
    return Percentile(&samples->ours_ms, percent);
  });
  write("bare_ms", [samples](double percent) {
    return Percentile(&samples->bare_ms, percent);
  });
  json.EndObject();
  std::ofstream file(path, std::ios::trunc);
  file << text << "\n";
  file.close();
  if (file) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot write ", path));
}

}  // namespace

absl::StatusOr<std::vector<BenchEntry>> BenchLive(const BenchOptions& options) {
  BenchEntry p50 = LatencyEntry("live.p50", 1);
  BenchEntry p99 = LatencyEntry("live.p99", 3);
  Samples all;
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(Samples samples, RunRound(options, round));
    AddRound(&samples.ours_ms, &samples.bare_ms, &p50, &p99);
    std::fprintf(stderr,
                 "round %d: bare p50 %.2f ms p99 %.2f ms, ours p50 %.2f ms "
                 "p99 %.2f ms, %zu events\n",
                 round + 1, p50.against_samples.back(),
                 p99.against_samples.back(), p50.ours_samples.back(),
                 p99.ours_samples.back(), samples.ours_ms.size());
    Append(samples.bare_ms, &all.bare_ms);
    Append(samples.ours_ms, &all.ours_ms);
  }
  if (!options.distribution.empty()) {
    RETURN_IF_ERROR(WriteDistribution(options.distribution, &all));
  }
  return std::vector<BenchEntry>{p50, p99};
}

}  // namespace tidegate
