// What a reader's Poll waits on.
#ifndef TIDEGATE_INGEST_KAFKA_POLL_WAKER_H_
#define TIDEGATE_INGEST_KAFKA_POLL_WAKER_H_

#include <chrono>

#include "base/mutex.h"

namespace tidegate {

// Thread-safe.
class PollWaker {
 public:
  // Something may be ready.
  void Signal() {
    MutexLock lock(&mutex_);
    signalled_ = true;
    ready_.Signal();
  }
  // Ends the wait, or the next one if nobody waits.
  void Interrupt() {
    MutexLock lock(&mutex_);
    interrupted_ = true;
    ready_.Signal();
  }
  // Before looking for what is ready.
  void Reset() {
    MutexLock lock(&mutex_);
    signalled_ = false;
  }
  // True if Signal came since Reset; false at `deadline` or by Interrupt.
  bool Wait(std::chrono::steady_clock::time_point deadline) {
    MutexLock lock(&mutex_);
    while (!signalled_ && !interrupted_) {
      const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
          deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      ready_.WaitFor(&mutex_, left);
    }
    if (!interrupted_) return true;
    interrupted_ = false;
    return false;
  }

 private:
  Mutex mutex_;
  CondVar ready_;
  bool signalled_ ABSL_GUARDED_BY(mutex_) = false;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_POLL_WAKER_H_
