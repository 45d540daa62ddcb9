#include "clients/cpp/subscriber.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "clients/cpp/channel.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::client {
namespace {

class GrpcSubscriber : public Subscriber {
 public:
  explicit GrpcSubscriber(SubscriberOptions options)
      : options_(std::move(options)),
        stub_(v1::ViewService::NewStub(MakeChannel(options_.server))),
        cursor_(options_.resume_token),
        random_(options_.seed) {}

  absl::Status Run(std::function<bool(Event)> handler) override;
  void Stop() override;
  void Disconnect() override;

 private:
  // How one stream ended.
  struct Ending {
    bool done = false;  // Run() returns `status`
    absl::Status status;
    bool answered = false;  // at least one response came
    int64_t retry_after_ms = 0;
  };
  Ending RunStream(const std::function<bool(Event)>& handler);
  Ending ReadStream(grpc::ClientReader<v1::SubscribeResponse>* reader,
                    const std::function<bool(Event)>& handler);
  v1::SubscribeRequest MakeRequest() const;
  // False if Stop() came.
  bool Wait(int64_t wait_ms);
  bool SetContext(grpc::ClientContext* context);

  const SubscriberOptions options_;
  const std::unique_ptr<v1::ViewService::Stub> stub_;
  StreamCursor cursor_;     // Run()'s thread
  std::mt19937_64 random_;  // Run()'s thread

  Mutex mutex_;
  CondVar wake_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

void GrpcSubscriber::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  if (context_ != nullptr) context_->TryCancel();
  wake_.SignalAll();
}

void GrpcSubscriber::Disconnect() {
  MutexLock lock(&mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

bool GrpcSubscriber::SetContext(grpc::ClientContext* context) {
  MutexLock lock(&mutex_);
  context_ = context;
  return !stopped_;
}

bool GrpcSubscriber::Wait(int64_t wait_ms) {
  using std::chrono::steady_clock;
  const auto until = steady_clock::now() + std::chrono::milliseconds(wait_ms);
  MutexLock lock(&mutex_);
  while (!stopped_) {
    const auto left = until - steady_clock::now();
    if (left.count() <= 0) return true;
    wake_.WaitFor(&mutex_, std::chrono::ceil<std::chrono::microseconds>(left));
  }
  return false;
}

v1::SubscribeRequest GrpcSubscriber::MakeRequest() const {
  v1::SubscribeRequest request;
  request.set_view(options_.view);
  for (const std::string& key : options_.keys) request.add_keys(key);
  request.set_key_prefix(options_.key_prefix);
  request.set_where(options_.where);
  request.set_resume_token(cursor_.token());
  if (options_.min_interval_ms > 0) {
    SetMillis(options_.min_interval_ms, request.mutable_min_interval());
  }
  if (options_.progress_interval_ms > 0) {
    SetMillis(options_.progress_interval_ms,
              request.mutable_progress_interval());
  }
  return request;
}

absl::Status GrpcSubscriber::Run(std::function<bool(Event)> handler) {
  int failures = 0;
  while (true) {
    Ending ending = RunStream(handler);
    if (ending.done) return ending.status;
    failures = ending.answered ? 1 : failures + 1;
    if (options_.max_failed_attempts > 0 &&
        failures > options_.max_failed_attempts) {
      return ending.status;
    }
    Event event;
    event.kind = Event::Kind::kDisconnected;
    event.detail = std::string(ending.status.message());
    event.retry_after_ms =
        ending.retry_after_ms > 0
            ? ending.retry_after_ms
            : BackoffMs(options_.min_backoff_ms, options_.max_backoff_ms,
                        failures, random_());
    const int64_t wait_ms = event.retry_after_ms;
    if (!handler(std::move(event)) || !Wait(wait_ms)) {
      return absl::OkStatus();
    }
  }
}

GrpcSubscriber::Ending GrpcSubscriber::RunStream(
    const std::function<bool(Event)>& handler) {
  grpc::ClientContext context;
  if (!SetContext(&context)) {
    SetContext(nullptr);
    return {.done = true};
  }
  cursor_.BeginStream();
  const auto reader = stub_->Subscribe(&context, MakeRequest());
  Ending ending = ReadStream(reader.get(), handler);
  if (ending.done) context.TryCancel();
  const grpc::Status status = reader->Finish();
  const bool running = SetContext(nullptr);
  if (ending.done) return ending;
  if (!running) return {.done = true};
  ending.status = ToAbslStatus(status);
  if (ending.status.ok()) {
    ending.status = absl::UnavailableError("the server ended the stream");
  }
  ending.done = IsPermanent(ending.status);
  return ending;
}

GrpcSubscriber::Ending GrpcSubscriber::ReadStream(
    grpc::ClientReader<v1::SubscribeResponse>* reader,
    const std::function<bool(Event)>& handler) {
  Ending ending;
  v1::SubscribeResponse response;
  while (!ending.done && reader->Read(&response)) {
    ending.answered = true;
    const absl::Status taken =
        cursor_.Take(std::move(response), [&](Event event) {
          if (ending.done) return;
          if (event.kind == Event::Kind::kDrain) {
            ending.retry_after_ms = std::max<int64_t>(1, event.retry_after_ms);
          }
          if (!handler(std::move(event))) ending.done = true;
        });
    if (!taken.ok() && !ending.done) {
      Event broken;
      broken.kind = Event::Kind::kBroken;
      broken.detail = std::string(taken.message());
      handler(std::move(broken));
      ending.done = true;
      ending.status = taken;
    }
    response.Clear();
  }
  return ending;
}

}  // namespace

std::unique_ptr<Subscriber> Subscriber::Create(SubscriberOptions options) {
  return std::make_unique<GrpcSubscriber>(std::move(options));
}

int64_t BackoffMs(int64_t min_ms, int64_t max_ms, int failures,
                  uint64_t random) {
  int64_t whole = std::max<int64_t>(1, min_ms);
  for (int i = 1; i < failures && whole < max_ms; ++i) {
    whole *= 2;
  }
  whole = std::min(whole, std::max<int64_t>(1, max_ms));
  const int64_t half = whole / 2;
  return half + 1 +
         static_cast<int64_t>(random % static_cast<uint64_t>(whole - half));
}

}  // namespace tidegate::client
