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
  options.window_keys = number("window-keys");
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
  if (name == "window-close") return BenchWindowClose;
  if (name == "nexmark") return BenchNexmark;
  return nullptr;
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
  const Benchmark benchmark = FindBenchmark(what);
  if (benchmark == nullptr) {
    PrintError(
        absl::StrCat("no benchmark \"", what,
                     "\"; there are catchup, live, window-close and nexmark"));
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
