// bench.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "cmd/tidegate/commands.h"
#include "cmd/tidegate/formats/bench_formats.h"
#include "loadtest/bench/bench.h"
#include "views/store/rocksdb_store.h"

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
  options.subscribers = number("subscribers");
  options.distribution = arguments.text("distribution");
  options.window_keys = number("window-keys");
  options.topic = arguments.text("topic");
  options.rows_topic = arguments.text("rows-topic");
  options.burst_ms = static_cast<int>(arguments.number("burst-ms"));
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
  if (name == "formats") return BenchFormats;
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

// What a restart cannot be faster than: opening the store as serve does.
int RunOpenStore(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    PrintError(absl::StrCat("no store there (--store): \"", path, "\""));
    return kExitUsage;
  }
  const auto start = std::chrono::steady_clock::now();
  const auto store = OpenRocksDbStore(path, {});
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  if (!store.ok()) {
    PrintError(store.status().message());
    return kExitNegative;
  }
  std::cout << "opened " << took.count() << "\n";
  return kExitOk;
}

}  // namespace

int RunBench(const Arguments& arguments) {
  const BenchOptions options = ToOptions(arguments);
  const std::string& what = arguments.words()[0];
  if (what == "open-store") return RunOpenStore(arguments.text("store"));
  // Without them it measures in memory.
  if (options.bootstrap_servers.empty() && what != "formats") {
    PrintError("--bootstrap-servers is missing");
    return kExitUsage;
  }
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
                     "nexmark, formats, produce and open-store"));
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
