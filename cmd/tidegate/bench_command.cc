// bench.
#include <algorithm>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "cmd/tidegate/commands.h"
#include "loadtest/bench/bench.h"

namespace tidegate {
namespace {

BenchOptions ToOptions(const Arguments& arguments) {
  const auto number = [&arguments](const char* flag) {
    return std::max<int64_t>(1, arguments.number(flag));
  };
  BenchOptions options;
  options.bootstrap_servers = arguments.text("bootstrap-servers");
  options.rounds = static_cast<int>(number("rounds"));
  options.partitions = static_cast<int>(number("partitions"));
  options.events = number("events");
  options.keys = number("keys");
  options.rate = static_cast<int>(number("rate"));
  options.live_keys = number("live-keys");
  options.seconds = static_cast<int>(number("seconds"));
  options.warm_up_seconds = static_cast<int>(number("warm-up"));
  options.window_keys = number("window-keys");
  options.topic = arguments.text("topic");
  options.rows_topic = arguments.text("rows-topic");
  options.queries = arguments.list("query");
  options.nexmark.seed = static_cast<uint64_t>(arguments.number("seed"));
  options.nexmark.event_rate = number("event-rate");
  options.nexmark.out_of_order_us = number("out-of-order") * 1000;
  return options;
}

using Benchmark =
    absl::StatusOr<std::vector<BenchEntry>> (*)(const BenchOptions&);

Benchmark FindBenchmark(const std::string& name) {
  if (name == "catchup") return BenchCatchup;
  if (name == "live") return BenchLive;
  if (name == "live-streams") return BenchLiveStreams;
  if (name == "window-close") return BenchWindowClose;
  if (name == "nexmark") return BenchNexmark;
  return nullptr;
}

int RunProduce(const Arguments& arguments, const BenchOptions& options) {
  if (options.topic.empty()) {
    PrintError("produce needs --topic");
    return kExitUsage;
  }
  const absl::Status status = ProduceForBench(
      options, arguments.number("first-order"), arguments.text("views-dir"));
  if (status.ok()) return kExitOk;
  PrintError(status.message());
  return kExitNegative;
}

int RunGenerate(const Arguments& arguments, const BenchOptions& options) {
  if (arguments.text("topic").empty()) {
    PrintError("--generate-only needs --topic, which begins the topics' names");
    return kExitUsage;
  }
  const absl::Status status =
      GenerateNexmark(options, arguments.text("topic"), arguments.text("csv"),
                      arguments.text("views-dir"));
  if (status.ok()) return kExitOk;
  PrintError(status.message());
  return kExitNegative;
}

}  // namespace

int RunBench(const Arguments& arguments) {
  const BenchOptions options = ToOptions(arguments);
  const std::string& what = arguments.words()[0];
  if (what == "bare-consumer") {
    return RunBareConsumer(options.bootstrap_servers, arguments.text("topic"),
                           options.partitions, options.events);
  }
  if (what == "produce") return RunProduce(arguments, options);
  const Benchmark benchmark = FindBenchmark(what);
  if (benchmark == nullptr) {
    PrintError(
        absl::StrCat("no benchmark \"", what,
                     "\"; there are catchup, live, live-streams, window-close, "
                     "nexmark and produce"));
    return kExitUsage;
  }
  if (arguments.is_set("generate-only")) {
    if (what == "nexmark") return RunGenerate(arguments, options);
    PrintError("--generate-only belongs to nexmark");
    return kExitUsage;
  }
  const auto entries = benchmark(options);
  if (!entries.ok()) {
    PrintError(entries.status().message());
    return kExitNegative;
  }
  for (const BenchEntry& entry : *entries) {
    std::cout << ToText(entry) << "\n";
  }
  const std::string file = arguments.text("json");
  if (file.empty()) return kExitOk;
  std::ofstream out(file, std::ios::app);
  for (const BenchEntry& entry : *entries) out << ToJsonLine(entry) << "\n";
  out.close();
  if (!out) {
    PrintError(absl::StrCat("cannot write ", file));
    return kExitNegative;
  }
  return kExitOk;
}

}  // namespace tidegate
