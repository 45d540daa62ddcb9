// Gets a completion queue's thread out of its wait, from any thread.
#ifndef TIDEGATE_GATEWAY_GRPC_WAKER_H_
#define TIDEGATE_GATEWAY_GRPC_WAKER_H_

#include <atomic>
#include <chrono>

#include "base/mutex.h"
#include "grpcpp/alarm.h"
#include "grpcpp/completion_queue.h"

namespace tidegate {

// Thread-safe. May outlive its queue, for those who hold it to wake: then
// nothing happens.
class Waker {
 public:
  explicit Waker(grpc::CompletionQueue* queue) : queue_(queue) {}

  // The queue returns the waker's address as a tag. Wakes coalesce until it has
  // been taken.
  void Wake() {
    if (under_way_.exchange(true)) return;
    MutexLock lock(&mutex_);
    if (queue_ == nullptr) return;
    alarm_.Set(queue_, std::chrono::system_clock::now(), this);
  }
  // The tag has been taken; what was there to see before is seen after this.
  void Taken() { under_way_ = false; }
  // Before the queue is shut down.
  void Close() {
    MutexLock lock(&mutex_);
    queue_ = nullptr;
  }

 private:
  std::atomic<bool> under_way_{false};
  Mutex mutex_;
  grpc::CompletionQueue* queue_ ABSL_GUARDED_BY(mutex_);
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_WAKER_H_
