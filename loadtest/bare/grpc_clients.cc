// tidegate_push_clients: unmodified gRPC clients of a bare server, to see what
// their manners (pings, window updates) cost it.
#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/json_writer.h"

ABSL_FLAG(std::string, server, "", "HOST:PORT of gRPC, plaintext");
ABSL_FLAG(int, connections, 1000, "channels");
ABSL_FLAG(int, streams, 1, "Subscribe streams on each channel");
ABSL_FLAG(absl::Duration, live_timeout, absl::Seconds(120),
          "how long it may take until every stream is live");

namespace tidegate::bare {
namespace {

constexpr char kMethod[] = "/tidegate.v1.ViewService/Subscribe";

// One call; its only operation under way at a time has its address as tag.
struct Call {
  enum class State : uint8_t { kStarting, kAsking, kHeaders, kReading, kEnd };
  grpc::ClientContext context;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
  grpc::ByteBuffer message;
  grpc::Status status;
  State state = State::kStarting;
};

// Thread-compatible.
class Clients {
 public:
  // Until every stream has ended; false if not all became live in time.
  bool Run();
  int64_t messages() const { return messages_; }

 private:
  void Start(grpc::GenericStub* stub);
  void OnCompletion(Call* call, bool ok);
  void OnLive();

  const grpc::Slice empty_{""};  // a request without fields
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::chrono::steady_clock::time_point begin_;
  size_t live_ = 0;
  size_t ended_ = 0;
  int64_t messages_ = 0;
};

void Clients::Start(grpc::GenericStub* stub) {
  calls_.push_back(std::make_unique<Call>());
  Call* const call = calls_.back().get();
  call->stream = stub->PrepareCall(&call->context, kMethod, &queue_);
  call->stream->StartCall(call);
}

bool Clients::Run() {
  begin_ = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs;
  for (int i = 0; i < absl::GetFlag(FLAGS_connections); ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stubs.push_back(
        std::make_unique<grpc::GenericStub>(grpc::CreateCustomChannel(
            absl::GetFlag(FLAGS_server), grpc::InsecureChannelCredentials(),
            arguments)));
    for (int j = 0; j < absl::GetFlag(FLAGS_streams); ++j) {
      Start(stubs.back().get());
    }
  }
  const auto deadline =
      std::chrono::system_clock::now() +
      absl::ToChronoMilliseconds(absl::GetFlag(FLAGS_live_timeout));
  void* tag = nullptr;
  bool ok = false;
  while (ended_ < calls_.size()) {
    // A deadline in the past would be looked at for every message.
    const auto got =
        live_ < calls_.size()
            ? queue_.AsyncNext(&tag, &ok, deadline)
            : (queue_.Next(&tag, &ok) ? grpc::CompletionQueue::GOT_EVENT
                                      : grpc::CompletionQueue::SHUTDOWN);
    if (got != grpc::CompletionQueue::GOT_EVENT) break;
    OnCompletion(static_cast<Call*>(tag), ok);
  }
  const bool all = ended_ == calls_.size() && live_ == calls_.size();
  for (const auto& call : calls_) call->context.TryCancel();
  queue_.Shutdown();
  while (queue_.Next(&tag, &ok)) {
  }
  return all;
}

void Clients::OnLive() {
  if (++live_ < calls_.size()) return;
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begin_;
  std::printf("live %.3f\n", took.count());
  std::fflush(stdout);
}

void Clients::OnCompletion(Call* call, bool ok) {
  if (call->state == Call::State::kEnd) {
    ++ended_;
    return;
  }
  if (!ok) {
    call->state = Call::State::kEnd;
    call->stream->Finish(&call->status, call);
    return;
  }
  switch (call->state) {
    case Call::State::kStarting:
      call->state = Call::State::kAsking;
      call->stream->WriteLast(grpc::ByteBuffer(&empty_, 1),
                              grpc::WriteOptions(), call);
      return;
    case Call::State::kAsking:
      call->state = Call::State::kHeaders;
      call->stream->ReadInitialMetadata(call);
      return;
    case Call::State::kHeaders:
      call->state = Call::State::kReading;
      OnLive();
      break;
    default:
      ++messages_;
      break;
  }
  call->stream->Read(&call->message, call);
}

int Main() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  Clients clients;
  if (!clients.Run()) {
    std::fprintf(stderr, "tidegate_push_clients: not every stream was live\n");
    return 1;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  json.Key("messages").Int(clients.messages());
  json.Key("cpu_s").Double(
      static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
      static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
          1e6);
  json.EndObject();
  std::printf("%s\n", out.c_str());
  return 0;
}

}  // namespace
}  // namespace tidegate::bare

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gRPC C++ clients of tidegate_push_bare, one thread with a completion "
      "queue. Prints \"live SECONDS\", and one JSON object once every stream "
      "has ended. Exit codes: 0, 1 (it could not run), 2 (usage).");
  if (absl::ParseCommandLine(argc, argv).size() > 1 ||
      absl::GetFlag(FLAGS_server).empty() ||
      absl::GetFlag(FLAGS_connections) < 1 ||
      absl::GetFlag(FLAGS_streams) < 1) {
    std::fprintf(stderr, "tidegate_push_clients: needs --server; see --help\n");
    return 2;
  }
  return tidegate::bare::Main();
}
