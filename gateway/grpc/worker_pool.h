// Threads for reads that may wait for the disk.
#ifndef TIDEGATE_GATEWAY_GRPC_WORKER_POOL_H_
#define TIDEGATE_GATEWAY_GRPC_WORKER_POOL_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tidegate {

inline constexpr size_t kWorkerThreads = 2;
inline constexpr size_t kMaxQueuedReads = 1'000;

// Thread-safe.
class WorkerPool {
 public:
  WorkerPool(size_t threads, size_t max_queued);
  ~WorkerPool() { Stop(); }

  // False if max_queued tasks wait, or if it has stopped.
  bool Run(std::function<void()> task);
  // Also beyond the limit: for work whose amount is limited elsewhere. False
  // if it has stopped.
  bool RunAlways(std::function<void()> task);
  // Ends once every task has run.
  void Stop();

 private:
  bool Enqueue(std::function<void()> task, size_t limit);
  void Work();

  const size_t max_queued_;
  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_WORKER_POOL_H_
