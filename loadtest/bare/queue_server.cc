#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "loadtest/bare/bare_server.h"
#include "loadtest/bare/publisher.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::bare {
namespace {

// No method is synchronous: such have threads and queues of their own.
using Service = v1::ViewService::WithRawMethod_Subscribe<
    v1::ViewService::WithAsyncMethod_ListViews<
        v1::ViewService::WithAsyncMethod_DescribeView<
            v1::ViewService::WithAsyncMethod_Get<
                v1::ViewService::WithAsyncMethod_Scan<
                    v1::ViewService::WithAsyncMethod_Session<
                        v1::ViewService::Service>>>>>>;

// One subscriber; of the queue's thread. Its only operation under way at a time
// has its own address as tag.
struct Stream {
  enum class State : uint8_t { kAccepting, kOpening, kIdle, kWriting, kGone };
  grpc::ServerContext context;
  grpc::ByteBuffer request;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> writer{&context};
  State state = State::kAccepting;
  int64_t messages = 0;  // written
};

class QueueServer : public BareServer {
 public:
  explicit QueueServer(const BareOptions& options)
      : options_(options),
        publisher_(options),
        flat_message_(MakeMessage(0, options.message_bytes)) {}
  ~QueueServer() override;
  bool Listen();
  int port() const override { return port_; }
  absl::StatusOr<BareResult> Run() override;

 private:
  void Accept();
  // Takes completions until then.
  void DrainUntil(int64_t until_us);
  void OnCompletion(Stream* stream, bool ok);
  bool Send(Stream* stream, const grpc::ByteBuffer& message);
  absl::Status WaitForStreams();
  void Publish();
  void PublishUntil(int64_t until_us);
  // Until every stream has its messages.
  absl::Status SendEach();
  // From another thread: gets the queue's thread out of its wait.
  void Beat();
  void EndAll();

  const BareOptions options_;
  Publisher publisher_;
  const grpc::ByteBuffer flat_message_;
  int port_ = 0;
  Service service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<Stream>> streams_;
  size_t open_ = 0;
  size_t busy_ = 0;  // streams with an operation under way, accepting aside
  int64_t messages_ = 0;
  bool ending_ = false;
  std::atomic<bool> beaten_ = false;  // the alarm is on its way; its tag: this
  grpc::Alarm alarm_;
};

QueueServer::~QueueServer() {
  if (server_ != nullptr) server_->Shutdown();
  if (queue_ == nullptr) return;
  queue_->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
  }
}

bool QueueServer::Listen() {
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(),
                           &port_);
  builder.RegisterService(&service_);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port_ == 0) return false;
  Accept();
  return true;
}

void QueueServer::Accept() {
  streams_.push_back(std::make_unique<Stream>());
  Stream* const stream = streams_.back().get();
  service_.RequestSubscribe(&stream->context, &stream->request, &stream->writer,
                            queue_.get(), queue_.get(), stream);
}

void QueueServer::DrainUntil(int64_t until_us) {
  const auto deadline =
      std::chrono::system_clock::now() +
      std::chrono::microseconds(std::max<int64_t>(until_us - NowUs(), 0));
  void* tag = nullptr;
  bool ok = false;
  size_t taken = 0;
  while (queue_->AsyncNext(&tag, &ok, deadline) ==
         grpc::CompletionQueue::GOT_EVENT) {
    if (tag == this) {
      beaten_ = false;
      Publish();
    } else {
      OnCompletion(static_cast<Stream*>(tag), ok);
    }
    // What is there is taken also when it is late, but not for ever.
    if (++taken >= options_.streams && NowUs() >= until_us) return;
  }
}

void QueueServer::OnCompletion(Stream* stream, bool ok) {
  if (stream->state == Stream::State::kAccepting) {
    if (!ok) return;  // shutting down
    stream->state = Stream::State::kOpening;
    ++busy_;
    stream->writer.SendInitialMetadata(stream);
    if (streams_.size() < options_.streams) Accept();
    return;
  }
  --busy_;
  if (stream->state == Stream::State::kGone) return;
  if (!ok) {
    stream->state = Stream::State::kGone;
    return;
  }
  if (stream->state == Stream::State::kOpening) ++open_;
  const bool wrote = stream->state == Stream::State::kWriting;
  if (wrote) {
    ++messages_;
    ++stream->messages;
  }
  const bool again = wrote && options_.pattern == Pattern::kFlat && !ending_ &&
                     stream->messages != options_.messages_each;
  stream->state = Stream::State::kIdle;
  if (again) Send(stream, flat_message_);
}

bool QueueServer::Send(Stream* stream, const grpc::ByteBuffer& message) {
  if (stream->state != Stream::State::kIdle) return false;
  stream->state = Stream::State::kWriting;
  ++busy_;
  stream->writer.Write(message, stream);
  return true;
}

absl::Status QueueServer::WaitForStreams() {
  const int64_t deadline_us = NowUs() + options_.open_timeout_us;
  while (open_ < options_.streams) {
    if (NowUs() > deadline_us) {
      return absl::DeadlineExceededError(absl::StrCat(
          "only ", open_, " of ", options_.streams, " streams came"));
    }
    DrainUntil(NowUs() + kTickUs);
  }
  return absl::OkStatus();
}

void QueueServer::Publish() {
  publisher_.Publish(NowUs(),
                     [&](size_t stream, const grpc::ByteBuffer& message) {
                       return Send(streams_[stream].get(), message);
                     });
}

void QueueServer::PublishUntil(int64_t until_us) {
  while (true) {
    const int64_t now_us = NowUs();
    if (now_us >= until_us) return;
    if (options_.wake == Wake::kFold) {
      DrainUntil(until_us);
      continue;
    }
    if (now_us >= publisher_.next_us()) Publish();
    DrainUntil(publisher_.next_us());
  }
}

void QueueServer::Beat() {
  if (beaten_.exchange(true)) return;
  alarm_.Set(queue_.get(), std::chrono::system_clock::now(), this);
}

void QueueServer::EndAll() {
  constexpr int64_t kGraceUs = 2'000'000;
  ending_ = true;
  const int64_t deadline_us = NowUs() + kGraceUs;
  while (busy_ > 0 && NowUs() < deadline_us) DrainUntil(NowUs() + kTickUs);
  for (const auto& stream : streams_) {
    if (stream->state != Stream::State::kIdle) continue;
    stream->state = Stream::State::kGone;
    ++busy_;
    stream->writer.Finish(grpc::Status::OK, stream.get());
  }
  while (busy_ > 0 && NowUs() < deadline_us) DrainUntil(NowUs() + kTickUs);
}

absl::Status QueueServer::SendEach() {
  const int64_t deadline_us = NowUs() + options_.open_timeout_us;
  const int64_t wanted =
      options_.messages_each * static_cast<int64_t>(options_.streams);
  while (messages_ < wanted) {
    if (NowUs() > deadline_us) return TooSlow(messages_, wanted);
    DrainUntil(NowUs() + kTickUs);
  }
  return absl::OkStatus();
}

absl::StatusOr<BareResult> QueueServer::Run() {
  BareResult result;
  result.rss_before_kb = RssKb();
  Meter meter;
  meter.Begin(0, 0);
  if (const absl::Status status = WaitForStreams(); !status.ok()) {
    return status;
  }
  result.rss_open_kb = RssKb();
  if (options_.pattern == Pattern::kFlat) {
    for (const auto& stream : streams_) Send(stream.get(), flat_message_);
  }
  if (options_.messages_each > 0) {
    const absl::Status sent = SendEach();
    meter.End(messages_, 0, &result);
    EndAll();
    if (!sent.ok()) return sent;
    return result;
  }
  std::optional<Pulse> pulse;
  if (options_.wake == Wake::kFold) pulse.emplace([this] { Beat(); });
  publisher_.Start(NowUs());
  PublishUntil(NowUs() + options_.warm_up_us);
  meter.Begin(messages_, publisher_.skipped());
  PublishUntil(NowUs() + options_.run_us);
  meter.End(messages_, publisher_.skipped(), &result);
  result.longest_gap_ms =
      static_cast<double>(publisher_.longest_gap_us()) / 1000;
  pulse.reset();
  EndAll();
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BareServer>> MakeQueueServer(
    const BareOptions& options) {
  auto server = std::make_unique<QueueServer>(options);
  if (!server->Listen()) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen));
  }
  return server;
}

}  // namespace tidegate::bare
