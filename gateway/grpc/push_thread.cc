#include "gateway/grpc/push_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "gateway/grpc/server.h"
#include "gateway/grpc/status.h"

namespace tidegate {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;

}  // namespace

PushThread::PushThread(PushThreadOptions options,
                       std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : options_(std::move(options)),
      queue_(std::move(queue)),
      waker_(std::make_shared<Waker>(queue_.get())),
      fan_out_(FanOut::Create(
          options_.fan_out, options_.hub, options_.stats,
          {[workers = options_.workers](std::function<void()> task) {
             workers->RunAlways(std::move(task));
           },
           [waker = waker_] { waker->Wake(); }})),
      random_(options_.fan_out.seed) {
  for (ServedPipeline* pipeline : options_.hub->pipelines()) {
    pipeline->AddListener([waker = waker_] { waker->Wake(); });
  }
}

PushThread::~PushThread() { Stop(); }

void PushThread::Start(grpc::AsyncGenericService* service) {
  service_ = service;
  for (size_t i = 0; i < kOpenRequests; ++i) Call::Expect(this);
  thread_ = std::thread([this] { Run(); });
}

bool PushThread::Request(grpc::GenericServerContext* context,
                         grpc::GenericServerAsyncReaderWriter* stream,
                         void* tag) {
  if (!accepting_) return false;
  service_->RequestCall(context, stream, queue_.get(), queue_.get(), tag);
  return true;
}

void PushThread::Run() {
  ProcessingTime next = Now();
  ProcessingTime tick = next;
  while (TakeEvents(std::min(next, tick))) {
    if (closed_) continue;
    RunPosted();
    const ProcessingTime now = Now();
    if (now >= tick) {
      options_.on_tick(now);
      tick = ProcessingTime(now.value() + kTickMs * kMicrosPerMilli);
    }
    next = fan_out_->Turn(now);
  }
}

bool PushThread::TakeEvents(ProcessingTime until) {
  const auto deadline = std::chrono::system_clock::now() +
                        std::chrono::microseconds(std::max<int64_t>(
                            until.value() - Now().value(), 0));
  // Long ago; gRPC takes what lies before it for the end of time.
  constexpr std::chrono::system_clock::time_point at_once;
  for (size_t taken = 0; taken < kEventsPerTurn; ++taken) {
    void* tag = nullptr;
    bool ok = false;
    const auto got =
        queue_->AsyncNext(&tag, &ok, taken == 0 ? deadline : at_once);
    if (got == grpc::CompletionQueue::SHUTDOWN) return false;
    if (got == grpc::CompletionQueue::TIMEOUT) return true;
    if (tag == waker_.get()) {
      waker_->Taken();
      ++options_.stats->wake_ups;
      // What woke us comes first: the rest has waited already.
      return true;
    }
    const auto* const event = static_cast<Call::Tag*>(tag);
    event->call->On(event->event, ok);
  }
  return true;
}

void PushThread::Post(std::function<void()> task) {
  {
    MutexLock lock(&mutex_);
    posted_.push_back(std::move(task));
  }
  waker_->Wake();
}

void PushThread::RunPosted() {
  std::vector<std::function<void()>> tasks;
  {
    MutexLock lock(&mutex_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) task();
}

void PushThread::BeginDrain(int64_t retry_after_ms, int64_t over_ms,
                            int64_t deadline_ms) {
  Post([=, this] {
    const ProcessingTime now = Now();
    drain_retry_ms_ = retry_after_ms;
    drain_deadline_ =
        ProcessingTime(now.value() + deadline_ms * kMicrosPerMilli);
    fan_out_->BeginDrain(retry_after_ms, over_ms, now);
  });
}

void PushThread::StreamCut() {
  if (Now() >= drain_deadline_) ++options_.stats->cut;
}

grpc::Status PushThread::Refusal(const absl::Status& status) {
  const bool limit = absl::IsResourceExhausted(status);
  if (limit) ++options_.stats->rejected;
  if (!limit && !absl::IsUnavailable(status)) return ToGrpc(status);
  const int64_t base = fan_out_->draining() ? drain_retry_ms_ : kRetryDelayMs;
  return ToGrpcWithRetry(status, std::uniform_int_distribution<int64_t>(
                                     base / 2, base * 3 / 2)(random_));
}

void PushThread::Close() {
  RunPosted();
  closed_ = true;
  waker_->Close();
  queue_->Shutdown();
}

void PushThread::Stop() {
  StopAccepting();
  if (thread_.joinable()) {
    Post([this] { Close(); });
    thread_.join();
    return;
  }
  if (closed_) return;
  Close();  // it was never started
  while (TakeEvents(Now())) {
  }
}

}  // namespace tidegate
