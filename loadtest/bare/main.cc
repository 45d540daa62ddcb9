// tidegate_push_bare: a bare gRPC server and what it cost.
#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/json_writer.h"
#include "loadtest/bare/bare_server.h"

ABSL_FLAG(std::string, api, "callback",
          "callback: StartWrite from a publisher thread; queue: the publishing "
          "thread drains its own completion queue");
ABSL_FLAG(std::string, pattern, "spread",
          "flat: as fast as it goes; spread: each update to one stream; burst: "
          "each update to all");
ABSL_FLAG(std::string, wake, "clock",
          "what tells the publishing thread that something is due; clock: its "
          "own; fold: another thread, as a commit does");
ABSL_FLAG(std::string, listen, "127.0.0.1:0", "HOST:PORT");
ABSL_FLAG(int, streams, 1000, "waits until so many streams are open");
ABSL_FLAG(int, rate, 20000, "deliveries a second, all streams together");
ABSL_FLAG(absl::Duration, tick, absl::Milliseconds(1),
          "updates come in steps of this");
ABSL_FLAG(int, stride, 1,
          "spread: from a stream to the next one that is due, in order of "
          "opening; no common factor with --streams");
ABSL_FLAG(int, message_bytes, static_cast<int>(tidegate::bare::kMessageBytes),
          "of each message, at least 128");
ABSL_FLAG(int, messages_each, 0,
          "flat: so many to each stream, and all of it is measured, opening "
          "included; 0: for --duration");
ABSL_FLAG(absl::Duration, warm_up, absl::Seconds(2), "not measured");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(10), "measured");

namespace tidegate::bare {
namespace {

absl::StatusOr<std::unique_ptr<BareServer>> ServerFromFlags() {
  BareOptions options;
  const std::string pattern = absl::GetFlag(FLAGS_pattern);
  const std::string api = absl::GetFlag(FLAGS_api);
  if (pattern == "flat") {
    options.pattern = Pattern::kFlat;
  } else if (pattern == "burst") {
    options.pattern = Pattern::kBurst;
  } else if (pattern != "spread") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--pattern is not flat, spread or burst: \"", pattern, "\""));
  }
  const std::string wake = absl::GetFlag(FLAGS_wake);
  if (wake != "clock" && wake != "fold") {
    return absl::InvalidArgumentError(
        absl::StrCat("--wake is neither clock nor fold: \"", wake, "\""));
  }
  if (wake == "fold") options.wake = Wake::kFold;
  if (absl::GetFlag(FLAGS_streams) < 1 || absl::GetFlag(FLAGS_rate) < 1) {
    return absl::InvalidArgumentError("--streams and --rate begin at 1");
  }
  options.listen = absl::GetFlag(FLAGS_listen);
  options.streams = static_cast<size_t>(absl::GetFlag(FLAGS_streams));
  options.rate = absl::GetFlag(FLAGS_rate);
  options.tick_us = absl::ToInt64Microseconds(absl::GetFlag(FLAGS_tick));
  options.stride = static_cast<size_t>(absl::GetFlag(FLAGS_stride));
  options.message_bytes =
      static_cast<size_t>(absl::GetFlag(FLAGS_message_bytes));
  options.messages_each = absl::GetFlag(FLAGS_messages_each);
  if (options.tick_us < 1 || std::gcd(options.stride, options.streams) != 1 ||
      absl::GetFlag(FLAGS_message_bytes) < static_cast<int>(kMessageBytes) ||
      options.messages_each < 0 ||
      (options.messages_each > 0 && options.pattern != Pattern::kFlat)) {
    return absl::InvalidArgumentError(
        "--tick, --stride, --message_bytes or --messages_each: see --help");
  }
  options.warm_up_us = absl::ToInt64Microseconds(absl::GetFlag(FLAGS_warm_up));
  options.run_us = absl::ToInt64Microseconds(absl::GetFlag(FLAGS_duration));
  if (api == "callback") return MakeCallbackServer(options);
  if (api == "queue") return MakeQueueServer(options);
  return absl::InvalidArgumentError(
      absl::StrCat("--api is neither callback nor queue: \"", api, "\""));
}

std::string ToJson(const BareResult& result) {
  const double messages =
      static_cast<double>(std::max<int64_t>(result.messages, 1));
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  json.Key("api").String(absl::GetFlag(FLAGS_api));
  json.Key("pattern").String(absl::GetFlag(FLAGS_pattern));
  json.Key("wake").String(absl::GetFlag(FLAGS_wake));
  json.Key("streams").Int(absl::GetFlag(FLAGS_streams));
  json.Key("seconds").Double(result.seconds);
  json.Key("messages").Int(result.messages);
  json.Key("skipped").Int(result.skipped);
  json.Key("longest_gap_ms").Double(result.longest_gap_ms);
  json.Key("messages_per_s").Double(messages / result.seconds);
  json.Key("cpu_s").Double(result.cpu_s);
  json.Key("cpu_us_per_message").Double(result.cpu_s * 1e6 / messages);
  json.Key("switches_per_message")
      .Double(static_cast<double>(result.switches) / messages);
  json.Key("kb_per_stream")
      .Double((result.rss_open_kb - result.rss_before_kb) /
              absl::GetFlag(FLAGS_streams));
  json.EndObject();
  return out;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "tidegate_push_bare: %s\n",
               std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

int Main() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  const absl::StatusOr<std::unique_ptr<BareServer>> server = ServerFromFlags();
  if (!server.ok()) return Fail(server.status());
  std::printf("listening %d\n", (*server)->port());
  std::fflush(stdout);
  const absl::StatusOr<BareResult> result = (*server)->Run();
  if (!result.ok()) return Fail(result.status());
  std::printf("%s\n", ToJson(*result).c_str());
  return 0;
}

}  // namespace
}  // namespace tidegate::bare

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "a gRPC server that streams one prebuilt message to every call of "
      "tidegate.v1.ViewService/Subscribe. Prints \"listening PORT\", and at "
      "the "
      "end one JSON object. Exit codes: 0, 1 (it could not run), 2 (usage).");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    std::fprintf(stderr, "tidegate_push_bare: takes flags only; see --help\n");
    return 2;
  }
  return tidegate::bare::Main();
}
