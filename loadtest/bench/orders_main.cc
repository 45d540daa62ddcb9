// tidegate_orders: orders into a topic at a rate, for as long as they are
// wanted.
#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>

#include <cstdio>
#include <string>

#include "absl/time/time.h"
#include "loadtest/bench/load.h"

ABSL_FLAG(std::string, bootstrap_servers, "", "Kafka");
ABSL_FLAG(std::string, topic, "", "which exists, with --partitions");
ABSL_FLAG(int, partitions, 4, "of the topic");
ABSL_FLAG(int, keys, 1000, "drivers, who take turns");
ABSL_FLAG(int, rate, 20000, "orders a second");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(10), "of the load");

namespace tidegate {
namespace {

int Main() {
  OrderLoad load;
  load.bootstrap_servers = absl::GetFlag(FLAGS_bootstrap_servers);
  load.topic = absl::GetFlag(FLAGS_topic);
  load.partitions = absl::GetFlag(FLAGS_partitions);
  load.keys = absl::GetFlag(FLAGS_keys);
  load.rate = absl::GetFlag(FLAGS_rate);
  if (load.bootstrap_servers.empty() || load.topic.empty() ||
      load.partitions < 1 || load.keys < 1 || load.rate < 1) {
    std::fprintf(stderr,
                 "tidegate_orders: --bootstrap_servers and --topic are needed; "
                 "--partitions, --keys and --rate begin at 1\n");
    return 2;
  }
  load.events = absl::ToInt64Milliseconds(absl::GetFlag(FLAGS_duration)) *
                load.rate / 1000;
  const absl::Status status = ProduceOrders(load, nullptr);
  if (status.ok()) return 0;
  std::fprintf(stderr, "tidegate_orders: %s\n",
               std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace tidegate

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "produces orders (loadtest/bench/workload.h) to a topic of Kafka at a "
      "steady rate. Exit codes: 0, 1 (it could not), 2 (usage).");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    std::fprintf(stderr, "tidegate_orders: takes flags only; see --help\n");
    return 2;
  }
  return tidegate::Main();
}
