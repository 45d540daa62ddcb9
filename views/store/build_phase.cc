#include "views/store/build_phase.h"

#include <chrono>

namespace tidegate {

bool BuildPhase::End(int timeout_ms) {
  if (!building()) return true;
  end_wanted_.store(true, std::memory_order_release);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  MutexLock lock(&mutex_);
  while (building()) {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    finished_.WaitFor(&mutex_, left);
  }
  return true;
}

void BuildPhase::Finish() {
  MutexLock lock(&mutex_);
  building_.store(false, std::memory_order_release);
  finished_.SignalAll();
}

}  // namespace tidegate
