#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "loadtest/bare/bare_server.h"
#include "loadtest/bare/publisher.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::bare {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(5);

// No method is synchronous: such have threads and queues of their own.
using Service = v1::ViewService::WithRawCallbackMethod_Subscribe<
    v1::ViewService::WithCallbackMethod_ListViews<
        v1::ViewService::WithCallbackMethod_DescribeView<
            v1::ViewService::WithCallbackMethod_Get<
                v1::ViewService::WithCallbackMethod_Scan<
                    v1::ViewService::WithCallbackMethod_Session<
                        v1::ViewService::Service>>>>>>;

class CallbackServer;

// One subscriber, as gateway/grpc has them: it writes only while nothing is
// under way.
class Reactor : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit Reactor(CallbackServer* server);
  // False if a write is under way.
  bool Send(const grpc::ByteBuffer& message);
  void End();
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  CallbackServer* const server_;
  Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ByteBuffer buffer_;  // of the write under way
  int64_t messages_ = 0;     // written; of gRPC's thread that says so
};

class CallbackServer : public BareServer,
                       private v1::ViewService::WithRawCallbackMethod_Subscribe<
                           v1::ViewService::Service> {
 public:
  explicit CallbackServer(const BareOptions& options)
      : options_(options),
        publisher_(options),
        flat_message_(MakeMessage(0, options.message_bytes)) {}
  bool Listen();
  int port() const override { return port_; }
  absl::StatusOr<BareResult> Run() override;

  // For the reactors; from any thread.
  void CountMessage() { messages_.fetch_add(1, std::memory_order_relaxed); }
  void CountEnd() { open_.fetch_sub(1); }
  bool flat() const { return options_.pattern == Pattern::kFlat; }
  int64_t messages_each() const { return options_.messages_each; }
  const grpc::ByteBuffer& flat_message() const { return flat_message_; }

 private:
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Subscribe(
      grpc::CallbackServerContext* context,
      const grpc::ByteBuffer* request) override;
  absl::Status WaitForStreams();
  // Until every stream has its messages.
  absl::Status WaitForMessages();
  void PublishUntil(int64_t until_us);
  void Beat();
  void WaitForBeat();
  void EndAll();

  const BareOptions options_;
  Publisher publisher_;
  const grpc::ByteBuffer flat_message_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<int64_t> messages_ = 0;
  std::atomic<int64_t> open_ = 0;
  Mutex mutex_;
  std::vector<std::unique_ptr<Reactor>> reactors_ ABSL_GUARDED_BY(mutex_);
  Mutex beat_mutex_;
  CondVar beat_;
  bool beaten_ ABSL_GUARDED_BY(beat_mutex_) = false;
};

Reactor::Reactor(CallbackServer* server) : server_(server) {
  StartSendInitialMetadata();
}

bool Reactor::Send(const grpc::ByteBuffer& message) {
  {
    MutexLock lock(&mutex_);
    if (writing_ || finished_) return false;
    writing_ = true;
    buffer_ = message;
  }
  StartWrite(&buffer_);
  return true;
}

void Reactor::OnWriteDone(bool ok) {
  bool finish = false;
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    if ((!ok || ending_) && !finished_) finish = finished_ = true;
  }
  if (ok) {
    ++messages_;
    server_->CountMessage();
  }
  if (finish) {
    Finish(grpc::Status::OK);
  } else if (server_->flat() && messages_ != server_->messages_each()) {
    Send(server_->flat_message());
  }
}

void Reactor::End() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
    if (writing_ || finished_) return;
    finished_ = true;
  }
  Finish(grpc::Status::OK);
}

void Reactor::OnDone() { server_->CountEnd(); }

bool CallbackServer::Listen() {
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(),
                           &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  return server_ != nullptr && port_ != 0;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* CallbackServer::Subscribe(
    grpc::CallbackServerContext*, const grpc::ByteBuffer*) {
  MutexLock lock(&mutex_);
  reactors_.push_back(std::make_unique<Reactor>(this));
  open_.fetch_add(1);
  return reactors_.back().get();
}

absl::Status CallbackServer::WaitForStreams() {
  const int64_t deadline_us = NowUs() + options_.open_timeout_us;
  while (open_.load() < static_cast<int64_t>(options_.streams)) {
    if (NowUs() > deadline_us) {
      return absl::DeadlineExceededError(absl::StrCat(
          "only ", open_.load(), " of ", options_.streams, " streams came"));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return absl::OkStatus();
}

absl::Status CallbackServer::WaitForMessages() {
  const int64_t deadline_us = NowUs() + options_.open_timeout_us;
  const int64_t wanted =
      options_.messages_each * static_cast<int64_t>(options_.streams);
  while (messages_.load() < wanted) {
    if (NowUs() > deadline_us) return TooSlow(messages_.load(), wanted);
    std::this_thread::sleep_for(kPoll);
  }
  return absl::OkStatus();
}

void CallbackServer::PublishUntil(int64_t until_us) {
  std::vector<Reactor*> reactors;
  {
    MutexLock lock(&mutex_);
    for (const auto& reactor : reactors_) reactors.push_back(reactor.get());
  }
  while (true) {
    const int64_t now_us = NowUs();
    if (now_us >= until_us) return;
    if (options_.wake == Wake::kFold) {
      WaitForBeat();
    } else if (now_us < publisher_.next_us()) {
      std::this_thread::sleep_for(
          std::chrono::microseconds(publisher_.next_us() - now_us));
      continue;
    }
    publisher_.Publish(NowUs(),
                       [&](size_t stream, const grpc::ByteBuffer& message) {
                         return reactors[stream]->Send(message);
                       });
  }
}

void CallbackServer::Beat() {
  MutexLock lock(&beat_mutex_);
  beaten_ = true;
  beat_.Signal();
}

void CallbackServer::WaitForBeat() {
  MutexLock lock(&beat_mutex_);
  while (!beaten_) beat_.Wait(&beat_mutex_);
  beaten_ = false;
}

void CallbackServer::EndAll() {
  {
    MutexLock lock(&mutex_);
    for (const auto& reactor : reactors_) reactor->End();
  }
  server_->Shutdown();
  server_->Wait();
}

absl::StatusOr<BareResult> CallbackServer::Run() {
  BareResult result;
  result.rss_before_kb = RssKb();
  Meter meter;
  meter.Begin(0, 0);
  if (const absl::Status status = WaitForStreams(); !status.ok()) {
    EndAll();
    return status;
  }
  result.rss_open_kb = RssKb();
  if (flat()) {
    MutexLock lock(&mutex_);
    for (const auto& reactor : reactors_) reactor->Send(flat_message_);
  }
  if (options_.messages_each > 0) {
    const absl::Status sent = WaitForMessages();
    meter.End(messages_.load(), 0, &result);
    EndAll();
    if (!sent.ok()) return sent;
    return result;
  }
  std::optional<Pulse> pulse;
  if (options_.wake == Wake::kFold) pulse.emplace([this] { Beat(); });
  publisher_.Start(NowUs());
  PublishUntil(NowUs() + options_.warm_up_us);
  meter.Begin(messages_.load(), publisher_.skipped());
  PublishUntil(NowUs() + options_.run_us);
  meter.End(messages_.load(), publisher_.skipped(), &result);
  result.longest_gap_ms =
      static_cast<double>(publisher_.longest_gap_us()) / 1000;
  EndAll();
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BareServer>> MakeCallbackServer(
    const BareOptions& options) {
  auto server = std::make_unique<CallbackServer>(options);
  if (!server->Listen()) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen));
  }
  return server;
}

}  // namespace tidegate::bare
