#include "base/clock.h"

#include <chrono>

namespace tidegate {
namespace {

class SystemClock : public Clock {
 public:
  ProcessingTime Now() const override {
    return ProcessingTime(
        std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::system_clock::now().time_since_epoch())
            .count());
  }
};

}  // namespace

const Clock* Clock::System() {
  static const SystemClock clock;
  return &clock;
}

}  // namespace tidegate
