#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "loadtest/bench/bare_consumer.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/catchup_round.h"
#include "loadtest/bench/load.h"
#include "loadtest/bench/workload.h"

namespace tidegate {

int RunBareConsumer(const std::string& bootstrap_servers,
                    const std::string& topic, int partitions, int64_t events) {
  int64_t left = events;
  const absl::Status status = ConsumeBare(
      {.bootstrap_servers = bootstrap_servers,
       .topic = topic,
       .partitions = partitions},
      [] {},
      [&left](absl::string_view, absl::string_view) { return --left > 0; },
      [] { return false; });
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  std::puts("done");
  return 0;
}

absl::StatusOr<std::vector<BenchEntry>> BenchCatchup(
    const BenchOptions& options) {
  const std::string topic = absl::StrCat("bench-catchup-", getpid());
  RETURN_IF_ERROR(
      CreateBenchTopic(options.bootstrap_servers, topic, options.partitions));
  RETURN_IF_ERROR(ProduceOrders({.bootstrap_servers = options.bootstrap_servers,
                                 .topic = topic,
                                 .partitions = options.partitions,
                                 .events = options.events,
                                 .keys = options.keys},
                                nullptr));
  BenchEntry rate{.name = "catchup.rate",
                  .unit = "events/s",
                  .against = "bare librdkafka",
                  .goal = BenchGoal{BenchGoal::Kind::kAtLeast, 0.3}};
  BenchEntry cpu{.name = "catchup.cpu",
                 .unit = "us/event",
                 .against = "bare librdkafka",
                 .goal = BenchGoal{.bound = 4}};
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(const CatchupResult bare,
                     CatchUpBare(options, topic, options.events));
    ASSIGN_OR_RETURN(const CatchupResult ours,
                     CatchUpServer(options, TotalsViews(topic), options.events,
                                   options.events));
    rate.against_samples.push_back(bare.rate);
    cpu.against_samples.push_back(bare.cpu_us);
    rate.ours_samples.push_back(ours.rate);
    cpu.ours_samples.push_back(ours.cpu_us);
    std::fprintf(stderr,
                 "round %d: bare %.0f events/s %.3f us, ours %.0f events/s "
                 "%.3f us\n",
                 round + 1, bare.rate, bare.cpu_us, ours.rate, ours.cpu_us);
  }
  return std::vector<BenchEntry>{rate, cpu};
}

}  // namespace tidegate
