#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/child_process.h"
#include "base/status_macros.h"
#include "loadtest/bench/bare_consumer.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/load.h"
#include "loadtest/bench/server_under_test.h"

namespace tidegate {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPollInterval(10);
constexpr std::chrono::minutes kMaxCatchup(10);

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

struct Round {
  double rate = 0;
  double cpu_us = 0;
};

absl::StatusOr<Round> RunBare(const BenchOptions& options,
                              const std::string& topic) {
  const auto start = SteadyClock::now();
  ASSIGN_OR_RETURN(
      const std::unique_ptr<ChildProcess> child,
      ChildProcess::Start({OwnBinary(), "bench", "bare-consumer",
                           "--bootstrap-servers", options.bootstrap_servers,
                           "--topic", topic, "--partitions",
                           absl::StrCat(options.partitions), "--events",
                           absl::StrCat(options.events)}));
  ASSIGN_OR_RETURN(const std::string line, child->ReadLine());
  const double seconds = SecondsSince(start);
  ASSIGN_OR_RETURN(const ChildUsage usage, child->Wait());
  if (line != "done" || usage.exit_code != 0) {
    return absl::InternalError(
        absl::StrCat("the bare consumer ended with ", usage.exit_code));
  }
  const double events = static_cast<double>(options.events);
  return Round{events / seconds, usage.cpu_s * 1e6 / events};
}

absl::StatusOr<Round> RunOurs(const BenchOptions& options,
                              const std::string& topic) {
  const auto start = SteadyClock::now();
  ASSIGN_OR_RETURN(const std::unique_ptr<ServerUnderTest> server,
                   ServerUnderTest::Start(options.bootstrap_servers, topic));
  while (true) {
    ASSIGN_OR_RETURN(const int64_t records, server->Records());
    if (records >= options.events) break;
    if (SteadyClock::now() - start > kMaxCatchup) {
      return absl::DeadlineExceededError(
          absl::StrCat("folded only ", records, " of ", options.events));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  const double seconds = SecondsSince(start);
  ASSIGN_OR_RETURN(const ChildUsage usage, server->Stop());
  if (usage.exit_code != 0) {
    return absl::InternalError(
        absl::StrCat("the server ended with ", usage.exit_code));
  }
  const double events = static_cast<double>(options.events);
  return Round{events / seconds, usage.cpu_s * 1e6 / events};
}

}  // namespace

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
  BenchEntry rate{
      .name = "catchup.rate", .unit = "events/s", .against = "bare librdkafka"};
  BenchEntry cpu{
      .name = "catchup.cpu", .unit = "us/event", .against = "bare librdkafka"};
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(const Round bare, RunBare(options, topic));
    ASSIGN_OR_RETURN(const Round ours, RunOurs(options, topic));
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
