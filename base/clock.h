// Time as an argument: pure code is handed instants, shells hold a Clock.
#ifndef TIDEGATE_BASE_CLOCK_H_
#define TIDEGATE_BASE_CLOCK_H_

#include "base/ids.h"

namespace tidegate {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual ProcessingTime Now() const = 0;
  // The wall clock; lives as long as the process.
  static const Clock* System();
};

}  // namespace tidegate

#endif  // TIDEGATE_BASE_CLOCK_H_
