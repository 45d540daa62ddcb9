// Bare gRPC servers that answer Get with one prebuilt reply: what a unary call
// costs with nothing behind it, by each of gRPC's server APIs.
#ifndef TIDEGATE_LOADTEST_BARE_UNARY_SERVERS_H_
#define TIDEGATE_LOADTEST_BARE_UNARY_SERVERS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace tidegate::bare {

struct UnaryOptions {
  std::string listen = "127.0.0.1:0";
  size_t reply_bytes = 128;
};

// A GetResponse with one row, of `bytes` or, where a length's own length leaves
// a gap, one less. From 4.
std::string MakeReply(size_t bytes);

// Answers until it is destroyed. Thread-compatible.
class UnaryServer {
 public:
  virtual ~UnaryServer() = default;
  virtual int port() const = 0;
};

// gRPC's threads call back.
absl::StatusOr<std::unique_ptr<UnaryServer>> MakeCallbackUnaryServer(
    const UnaryOptions& options);
// One thread drains one completion queue.
absl::StatusOr<std::unique_ptr<UnaryServer>> MakeQueueUnaryServer(
    const UnaryOptions& options);

}  // namespace tidegate::bare

#endif  // TIDEGATE_LOADTEST_BARE_UNARY_SERVERS_H_
