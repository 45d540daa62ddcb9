#include "gateway/grpc/worker_pool.h"

#include <limits>
#include <utility>

namespace tidegate {

WorkerPool::WorkerPool(size_t threads, size_t max_queued)
    : max_queued_(max_queued) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

bool WorkerPool::Enqueue(std::function<void()> task, size_t limit) {
  MutexLock lock(&mutex_);
  if (stopped_ || tasks_.size() >= limit) return false;
  tasks_.push_back(std::move(task));
  changed_.Signal();
  return true;
}

bool WorkerPool::Run(std::function<void()> task) {
  return Enqueue(std::move(task), max_queued_);
}

bool WorkerPool::RunAlways(std::function<void()> task) {
  return Enqueue(std::move(task), std::numeric_limits<size_t>::max());
}

void WorkerPool::Work() {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(&mutex_);
      while (tasks_.empty() && !stopped_) changed_.Wait(&mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void WorkerPool::Stop() {
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace tidegate
