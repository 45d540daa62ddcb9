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
  return options;
}

}  // namespace

int RunBench(const Arguments& arguments) {
  const BenchOptions options = ToOptions(arguments);
  const std::string& what = arguments.words()[0];
  if (what == "bare-consumer") {
    return RunBareConsumer(options.bootstrap_servers, arguments.text("topic"),
                           options.partitions, options.events);
  }
  if (what != "catchup" && what != "live") {
    PrintError(absl::StrCat("no benchmark \"", what,
                            "\"; there are catchup and live"));
    return kExitUsage;
  }
  const auto entries =
      what == "catchup" ? BenchCatchup(options) : BenchLive(options);
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
