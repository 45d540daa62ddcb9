// tidegate_unary_bare: a bare gRPC server that answers Get until it is told to
// end.
#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "loadtest/bare/unary_servers.h"

ABSL_FLAG(std::string, api, "callback",
          "callback: gRPC's threads call back; queue: one thread drains one "
          "completion queue");
ABSL_FLAG(std::string, listen, "127.0.0.1:0", "HOST:PORT");
ABSL_FLAG(int, reply_bytes, 128, "of the reply, from 4");

namespace tidegate::bare {
namespace {

constexpr int kMinReplyBytes = 4;

absl::StatusOr<std::unique_ptr<UnaryServer>> ServerFromFlags() {
  if (absl::GetFlag(FLAGS_reply_bytes) < kMinReplyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("--reply_bytes begins at ", kMinReplyBytes));
  }
  const UnaryOptions options{
      .listen = absl::GetFlag(FLAGS_listen),
      .reply_bytes = static_cast<size_t>(absl::GetFlag(FLAGS_reply_bytes))};
  const std::string api = absl::GetFlag(FLAGS_api);
  if (api == "callback") return MakeCallbackUnaryServer(options);
  if (api == "queue") return MakeQueueUnaryServer(options);
  return absl::InvalidArgumentError(
      absl::StrCat("--api is neither callback nor queue: \"", api, "\""));
}

int Main() {
  // Blocked in every thread, so that only sigwait below gets them.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const absl::StatusOr<std::unique_ptr<UnaryServer>> server = ServerFromFlags();
  if (!server.ok()) {
    std::fprintf(stderr, "tidegate_unary_bare: %s\n",
                 std::string(server.status().message()).c_str());
    return absl::IsInvalidArgument(server.status()) ? 2 : 1;
  }
  std::printf("listening %d\n", (*server)->port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  return 0;
}

}  // namespace
}  // namespace tidegate::bare

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "a gRPC server that answers every call of tidegate.v1.ViewService/Get "
      "with one prebuilt reply. Prints \"listening PORT\", and ends with "
      "SIGTERM. Exit codes: 0, 1 (it could not run), 2 (usage).");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    std::fprintf(stderr, "tidegate_unary_bare: takes flags only; see --help\n");
    return 2;
  }
  return tidegate::bare::Main();
}
