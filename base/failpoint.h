// Named places where a test makes the process die, as SIGKILL would.
#ifndef TIDEGATE_BASE_FAILPOINT_H_
#define TIDEGATE_BASE_FAILPOINT_H_

#include "absl/strings/string_view.h"

namespace tidegate {

// If the environment has TIDEGATE_FAILPOINT=NAME:COUNT and this is the COUNT-th
// call with NAME, the process ends at once with status 137 and runs no
// destructor. Otherwise costs one predictable branch. Thread-safe.
void Failpoint(absl::string_view name);

}  // namespace tidegate

#endif  // TIDEGATE_BASE_FAILPOINT_H_
