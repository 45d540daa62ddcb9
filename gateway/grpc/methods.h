// The methods that the server has, by their full names. Bytes in, bytes out: a
// method knows no transport.
#ifndef TIDEGATE_GATEWAY_GRPC_METHODS_H_
#define TIDEGATE_GATEWAY_GRPC_METHODS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "gateway/core/fan_out.h"
#include "gateway/core/stream.h"

namespace tidegate {

// The thread that a call belongs to, as methods see it. All but Post and
// RunElsewhere on that thread only.
class CallThread {
 public:
  virtual ~CallThread() = default;
  virtual FanOut& fan_out() = 0;
  virtual ProcessingTime Now() const = 0;
  // Runs `task` on this thread, later. Thread-safe.
  virtual void Post(std::function<void()> task) = 0;
  // Runs `task`, which may block, on another thread. False if too many wait.
  virtual bool RunElsewhere(std::function<void()> task) = 0;
};

struct UnaryCall {
  CallThread* thread = nullptr;
  std::string request;
  ProcessingTime deadline;  // kNever: none
};

struct Method {
  // One answer. `reply` is called once, on the call's thread, at once or later.
  using Reply = std::function<void(absl::StatusOr<std::string>)>;
  std::function<void(UnaryCall call, Reply reply)> unary;

  // A stream. With `on_request` it is opened at once and takes requests one by
  // one, else it is opened with the only one.
  std::function<absl::StatusOr<std::unique_ptr<Stream>>(
      CallThread* thread, const std::string& request, WatchRegistry* registry)>
      open;
  // An error ends the stream.
  std::function<absl::Status(CallThread* thread, Stream* stream,
                             const std::string& request)>
      on_request;
  std::function<bool(const Stream& stream)> accepts_requests;
};

// Immutable while calls are served. Keys as "/package.Service/Method".
using MethodTable = absl::flat_hash_map<std::string, Method>;

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_METHODS_H_
