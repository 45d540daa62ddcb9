// tidegate_swarm: thousands of subscribers in one process.
#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "loadtest/swarm/setup.h"
#include "loadtest/swarm/swarm.h"

ABSL_FLAG(std::string, server, "", "HOST:PORT of gRPC, plaintext");
ABSL_FLAG(std::string, view, "", "the view to subscribe to");
ABSL_FLAG(std::string, keys, "",
          "FIRST..LAST or a file with a key a line, dealt out to the streams "
          "in turn; none: all rows");
ABSL_FLAG(int, keys_per_stream, 1, "keys each stream subscribes to");
ABSL_FLAG(int, connections, 100, "TCP connections");
ABSL_FLAG(int, streams, 10, "Subscribe streams on each connection");
ABSL_FLAG(int, sessions, 0,
          "instead of --streams: so many Session streams in all, shared out "
          "among the connections");
ABSL_FLAG(int, keys_per_session, 1, "keys each session watches");
ABSL_FLAG(int, watches, 1, "in a session, which share its keys");
ABSL_FLAG(std::string, latency, "committed_at",
          "where an update's latency counts from: committed_at, sent_at, or "
          "the column that the producer stamped");
ABSL_FLAG(absl::Duration, warm_up, absl::Seconds(2),
          "not measured, from when every stream is live");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(30),
          "of the run, from when every stream is live; 0: until SIGINT");
ABSL_FLAG(absl::Duration, live_timeout, absl::Seconds(120),
          "how long it may take until every stream is live");
ABSL_FLAG(absl::Duration, progress, absl::ZeroDuration(),
          "progress_interval to ask for; 0: the server's");
ABSL_FLAG(std::string, stall, "",
          "STREAMS:AFTER:FOR, e.g. 1000:10s:60s: so many random streams stop "
          "reading after so long, for so long");
ABSL_FLAG(std::string, disconnect, "",
          "STREAMS:AFTER:FOR: so many others disconnect at random and resume");
ABSL_FLAG(absl::Duration, disconnect_every, absl::Seconds(10),
          "mean time between two disconnects of a stream");
ABSL_FLAG(absl::Duration, pause, absl::Seconds(1),
          "a stream that disconnects stays away for up to this");
ABSL_FLAG(absl::Duration, storm_at, -absl::Seconds(1),
          "when all streams disconnect and come back at once; negative: never");
ABSL_FLAG(std::string, window_updates, "each",
          "each: a stream's and the connection's for every message, as gRPC's "
          "clients send them; lazy: when half of a window is used up");
ABSL_FLAG(int, window, 65535, "bytes the server may send ahead on a stream");
ABSL_FLAG(bool, raw, false,
          "count messages without reading them, for loadtest/bare");
ABSL_FLAG(bool, bursts, false,
          "also time each update, known by its stamp, until the last stream "
          "has it; for loads that go to every stream");
ABSL_FLAG(std::string, dump_state, "",
          "a file for what every stream holds at the end; a stop then waits "
          "until all have come as far as the view, a minute at most");
ABSL_FLAG(uint64_t, seed, 0, "of what is random; 0: another each time");

namespace tidegate::swarm {
namespace {

std::atomic<bool> g_stop = false;

void OnSignal(int) { g_stop = true; }

int64_t Micros(absl::Duration duration) {
  return absl::ToInt64Microseconds(duration);
}

// "STREAMS:AFTER:FOR"; nothing if `text` is empty.
absl::Status ParseFault(const std::string& text, size_t* streams,
                        int64_t* after_us, int64_t* for_us) {
  if (text.empty()) return absl::OkStatus();
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  absl::Duration after;
  absl::Duration length;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], streams) ||
      !absl::ParseDuration(parts[1], &after) ||
      !absl::ParseDuration(parts[2], &length)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "not STREAMS:AFTER:FOR, e.g. 1000:10s:60s: \"", text, "\""));
  }
  *after_us = Micros(after);
  *for_us = Micros(length);
  return absl::OkStatus();
}

absl::StatusOr<FaultOptions> FaultsFromFlags() {
  FaultOptions faults;
  RETURN_IF_ERROR_CTX(
      ParseFault(absl::GetFlag(FLAGS_stall), &faults.stall_streams,
                 &faults.stall_after_us, &faults.stall_for_us),
      "--stall");
  RETURN_IF_ERROR_CTX(
      ParseFault(absl::GetFlag(FLAGS_disconnect), &faults.disconnect_streams,
                 &faults.disconnect_after_us, &faults.disconnect_for_us),
      "--disconnect");
  faults.disconnect_every_us = Micros(absl::GetFlag(FLAGS_disconnect_every));
  faults.pause_us = Micros(absl::GetFlag(FLAGS_pause));
  faults.storm_at_us = Micros(absl::GetFlag(FLAGS_storm_at));
  return faults;
}

// --sessions and what goes with it.
absl::Status TakeSessions(SwarmOptions* options) {
  const int sessions = absl::GetFlag(FLAGS_sessions);
  if (sessions == 0) return absl::OkStatus();
  const auto connections = static_cast<int>(options->connections);
  if (sessions < connections || sessions % connections != 0 || options->raw ||
      absl::GetFlag(FLAGS_watches) < 1 ||
      absl::GetFlag(FLAGS_keys_per_session) < 1) {
    return absl::InvalidArgumentError(
        "--sessions is a multiple of --connections, --watches and "
        "--keys_per_session begin at 1, and --raw does not go with them");
  }
  options->streams_per_connection = static_cast<size_t>(sessions / connections);
  options->watches = static_cast<size_t>(absl::GetFlag(FLAGS_watches));
  options->keys_per_stream =
      static_cast<size_t>(absl::GetFlag(FLAGS_keys_per_session));
  return absl::OkStatus();
}

absl::StatusOr<SwarmOptions> OptionsFromFlags() {
  SwarmOptions options;
  options.server = absl::GetFlag(FLAGS_server);
  options.view = absl::GetFlag(FLAGS_view);
  options.raw = absl::GetFlag(FLAGS_raw);
  options.bursts = absl::GetFlag(FLAGS_bursts);
  const std::string updates = absl::GetFlag(FLAGS_window_updates);
  const int counts[] = {
      absl::GetFlag(FLAGS_connections), absl::GetFlag(FLAGS_streams),
      absl::GetFlag(FLAGS_keys_per_stream), absl::GetFlag(FLAGS_window)};
  if (*std::min_element(std::begin(counts), std::end(counts)) < 1) {
    return absl::InvalidArgumentError(
        "--connections, --streams, --keys_per_stream and --window begin at 1");
  }
  if (updates != "each" && updates != "lazy") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--window_updates is neither each nor lazy: \"", updates, "\""));
  }
  if (options.server.empty() || (options.view.empty() && !options.raw)) {
    return absl::InvalidArgumentError("--server and --view are needed");
  }
  options.connections = static_cast<size_t>(counts[0]);
  options.streams_per_connection = static_cast<size_t>(counts[1]);
  options.keys_per_stream = static_cast<size_t>(counts[2]);
  options.http2.stream_window = static_cast<uint32_t>(counts[3]);
  options.http2.eager_updates = updates == "each";
  options.progress_ms =
      absl::ToInt64Milliseconds(absl::GetFlag(FLAGS_progress));
  options.warm_up_us = Micros(absl::GetFlag(FLAGS_warm_up));
  options.run_us = Micros(absl::GetFlag(FLAGS_duration));
  options.live_timeout_us = Micros(absl::GetFlag(FLAGS_live_timeout));
  options.state_file = absl::GetFlag(FLAGS_dump_state);
  options.seed = absl::GetFlag(FLAGS_seed);
  if (options.seed == 0) options.seed = std::random_device()();
  ASSIGN_OR_RETURN(options.faults, FaultsFromFlags());
  RETURN_IF_ERROR(TakeSessions(&options));
  if (options.raw && !options.state_file.empty()) {
    return absl::InvalidArgumentError("--raw has no --dump_state");
  }
  return options;
}

absl::StatusOr<Tally> RunSwarm(SwarmOptions options) {
  const std::string keys = absl::GetFlag(FLAGS_keys);
  if (!options.raw) {
    std::vector<std::string> texts;
    if (!keys.empty()) {
      ASSIGN_OR_RETURN(texts, ReadKeyTexts(keys));
    }
    ASSIGN_OR_RETURN(ViewSetup setup,
                     DescribeView(options.server, options.view, texts,
                                  absl::GetFlag(FLAGS_latency)));
    options.keys = std::move(setup.keys);
    options.latency = setup.latency;
    options.key_fields = std::move(setup.key_fields);
    options.latency.changes = !options.state_file.empty();
    options.head = [server = options.server, view = options.view] {
      return HeadOf(server, view);
    };
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Swarm> swarm,
                   Swarm::Create(std::move(options)));
  return swarm->Run(g_stop, [](double seconds) {
    std::printf("live %.3f\n", seconds);
    std::fflush(stdout);
  });
}

int Main() {
  absl::StatusOr<SwarmOptions> options = OptionsFromFlags();
  if (!options.ok()) {
    std::fprintf(stderr, "tidegate_swarm: %s\n",
                 std::string(options.status().message()).c_str());
    return 2;
  }
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  const uint64_t seed = options->seed;
  const std::string latency =
      options->raw ? "stamp" : absl::GetFlag(FLAGS_latency);
  const absl::StatusOr<Tally> tally = RunSwarm(*std::move(options));
  if (!tally.ok()) {
    std::fprintf(stderr, "tidegate_swarm: %s\n",
                 std::string(tally.status().message()).c_str());
    return 1;
  }
  std::printf("%s\n", ToJson(*tally, latency, seed).c_str());
  return tally->violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tidegate::swarm

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "subscribes many times over and prints \"live SECONDS\" once every "
      "stream is live, then a report: one JSON object. Exit codes: 0, 1 (a "
      "continuity violation, or it could not run), 2 (usage).");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    std::fprintf(stderr, "tidegate_swarm: takes flags only; see --help\n");
    return 2;
  }
  return tidegate::swarm::Main();
}
