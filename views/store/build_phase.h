// Whether a pipeline is being built from its topics with nobody looking.
#ifndef TIDEGATE_VIEWS_STORE_BUILD_PHASE_H_
#define TIDEGATE_VIEWS_STORE_BUILD_PHASE_H_

#include <atomic>

#include "base/mutex.h"

namespace tidegate {

// Once over, it never comes back. Thread-safe.
class BuildPhase {
 public:
  explicit BuildPhase(bool building) : building_(building) {}

  bool building() const { return building_.load(std::memory_order_acquire); }
  // Somebody waits for its end, or did.
  bool end_wanted() const {
    return end_wanted_.load(std::memory_order_acquire);
  }
  // Asks for the end and waits for it; false if it has not come in time.
  bool End(int timeout_ms);
  // It is over.
  void Finish();

 private:
  std::atomic<bool> building_;
  std::atomic<bool> end_wanted_{false};
  Mutex mutex_;
  CondVar finished_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_BUILD_PHASE_H_
