// gRPC's length-prefixed messages out of the pieces they come in. Pure.
#ifndef TIDEGATE_LOADTEST_SWARM_MESSAGE_READER_H_
#define TIDEGATE_LOADTEST_SWARM_MESSAGE_READER_H_

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tidegate::swarm {

inline constexpr size_t kMaxMessageBytes = 256u << 20;

// Thread-compatible. Holds no memory between whole messages.
class MessageReader {
 public:
  // Calls `sink` with each message that `bytes` completes. An error if one is
  // compressed or too large.
  absl::Status Take(absl::string_view bytes,
                    absl::FunctionRef<void(absl::string_view message)> sink);
  // Forgets an unfinished message.
  void Clear() {
    partial_ = std::string();
    wanted_ = 0;
  }

 private:
  std::string partial_;
  size_t wanted_ = 0;  // bytes that complete it, once they are known
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_MESSAGE_READER_H_
