// grpc.health.v1 without the transport: request bytes to response bytes.
#ifndef TIDEGATE_GATEWAY_GRPC_HEALTH_H_
#define TIDEGATE_GATEWAY_GRPC_HEALTH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace tidegate {

// The server as a whole (the empty service name) and each of its services serve
// or do not serve, all alike. Thread-safe. Not serving at first.
class HealthService {
 public:
  // `services` have their full names.
  explicit HealthService(std::vector<std::string> services)
      : services_(std::move(services)) {}

  void SetServing(bool serving);
  bool serving() const;

  // HealthCheckResponse for a HealthCheckRequest; InvalidArgument if it is
  // malformed, NotFound if there is no such service.
  absl::StatusOr<std::string> Check(absl::string_view request) const;
  // What Watch sends now, and again whenever serving() has changed; only an
  // unknown service has no news ever.
  absl::StatusOr<std::string> Watch(absl::string_view request) const;

 private:
  enum class Answer { kServing, kNotServing, kUnknownService };
  absl::StatusOr<Answer> Judge(absl::string_view request,
                               std::string* service) const;

  const std::vector<std::string> services_;
  mutable Mutex mutex_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_HEALTH_H_
