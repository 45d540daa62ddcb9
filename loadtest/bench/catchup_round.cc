#include "loadtest/bench/catchup_round.h"

#include <chrono>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/child_process.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPollInterval(10);
constexpr std::chrono::minutes kMaxCatchup(10);

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

CatchupResult Result(int64_t events, double seconds, double cpu_s) {
  const auto count = static_cast<double>(events);
  return {count / seconds, cpu_s * 1e6 / count};
}

}  // namespace

absl::StatusOr<CatchupResult> CatchUpBare(const BenchOptions& options,
                                          const std::string& topic,
                                          int64_t events) {
  const auto start = SteadyClock::now();
  ASSIGN_OR_RETURN(
      const std::unique_ptr<ChildProcess> child,
      ChildProcess::Start({OwnBinary(), "bench", "bare-consumer",
                           "--bootstrap-servers", options.bootstrap_servers,
                           "--topic", topic, "--partitions",
                           absl::StrCat(options.partitions), "--events",
                           absl::StrCat(events)}));
  ASSIGN_OR_RETURN(const std::string line, child->ReadLine());
  const double seconds = SecondsSince(start);
  ASSIGN_OR_RETURN(const ChildUsage usage, child->Wait());
  if (line != "done" || usage.exit_code != 0) {
    return absl::InternalError(
        absl::StrCat("the bare consumer ended with ", usage.exit_code));
  }
  return Result(events, seconds, usage.cpu_s);
}

absl::StatusOr<CatchupResult> CatchUpServer(const BenchOptions& options,
                                            const BenchFiles& files,
                                            int64_t records, int64_t events) {
  const auto start = SteadyClock::now();
  ASSIGN_OR_RETURN(const std::unique_ptr<ServerUnderTest> server,
                   ServerUnderTest::Start(options.bootstrap_servers, files));
  while (true) {
    ASSIGN_OR_RETURN(const int64_t folded, server->Records());
    if (folded >= records) break;
    if (SteadyClock::now() - start > kMaxCatchup) {
      return absl::DeadlineExceededError(
          absl::StrCat("folded only ", folded, " of ", records));
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  const double seconds = SecondsSince(start);
  ASSIGN_OR_RETURN(const ChildUsage usage, server->Stop());
  if (usage.exit_code != 0) {
    return absl::InternalError(
        absl::StrCat("the server ended with ", usage.exit_code));
  }
  return Result(events, seconds, usage.cpu_s);
}

}  // namespace tidegate
