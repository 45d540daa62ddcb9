#include "clients/cpp/attempt_loop.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace tidegate::client {

using std::chrono::steady_clock;

void EndWith(const grpc::Status& status, Ending* ending) {
  if (ending->done) return;
  ending->status = ToAbslStatus(status);
  ending->retry_delay_ms = RetryDelayMs(status);
}

AttemptLoop::AttemptLoop(const ConnectOptions& options)
    : options_(options), channels_(options), random_(options.seed) {}

void AttemptLoop::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  if (context_ != nullptr) context_->TryCancel();
  wake_.SignalAll();
}

void AttemptLoop::Disconnect() {
  MutexLock lock(&mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

bool AttemptLoop::SetContext(grpc::ClientContext* context) {
  MutexLock lock(&mutex_);
  context_ = context;
  return !stopped_;
}

bool AttemptLoop::Wait(int64_t wait_ms) {
  const auto until = steady_clock::now() + std::chrono::milliseconds(wait_ms);
  MutexLock lock(&mutex_);
  while (!stopped_) {
    const auto left = until - steady_clock::now();
    if (left.count() <= 0) return true;
    wake_.WaitFor(&mutex_, std::chrono::ceil<std::chrono::microseconds>(left));
  }
  return false;
}

int64_t AttemptLoop::NextBackoffMs(int failures) {
  return BackoffMs(options_.min_backoff_ms, options_.max_backoff_ms, failures,
                   random_());
}

int64_t AttemptLoop::NextWaitMs(const Ending& ending, int failures) {
  if (ending.retry_after_ms.has_value()) {
    return AfterHintMs(*ending.retry_after_ms, random_());
  }
  const int64_t backoff_ms = NextBackoffMs(failures);
  if (ending.retry_delay_ms <= 0) return backoff_ms;
  return std::max(backoff_ms, AfterHintMs(ending.retry_delay_ms, random_()));
}

Ending AttemptLoop::Once(Attempt attempt) {
  const auto channel = channels_.Fresh();
  if (!channel.ok()) return {.done = true, .status = channel.status()};
  grpc::ClientContext context;
  const bool begun = SetContext(&context);
  Ending ending;
  if (begun) ending = attempt(*channel, &context);
  const bool running = SetContext(nullptr);
  if (ending.done) return ending;
  if (!begun || !running) return {.done = true};
  if (ending.status.ok()) {
    ending.status = absl::UnavailableError("the server ended the stream");
  }
  ending.done = IsPermanent(ending.status);
  return ending;
}

absl::Status AttemptLoop::Run(Attempt attempt,
                              absl::FunctionRef<bool(Event lost)> lost) {
  int failures = 0;
  while (true) {
    const Ending ending = Once(attempt);
    if (ending.done) return ending.status;
    failures = ending.answered ? 1 : failures + 1;
    if (options_.max_failed_attempts > 0 &&
        failures > options_.max_failed_attempts) {
      return ending.status;
    }
    Event event;
    event.kind = Event::Kind::kDisconnected;
    event.detail = std::string(ending.status.message());
    event.retry_after_ms = NextWaitMs(ending, failures);
    const int64_t wait_ms = event.retry_after_ms;
    if (!lost(std::move(event)) || !Wait(wait_ms)) return absl::OkStatus();
  }
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

int64_t AfterHintMs(int64_t hint_ms, uint64_t random) {
  constexpr int64_t kMaxHintMs = 600'000;
  const int64_t hint = std::clamp<int64_t>(hint_ms, 1, kMaxHintMs);
  return hint +
         static_cast<int64_t>(random % static_cast<uint64_t>(hint / 4 + 1));
}

}  // namespace tidegate::client
