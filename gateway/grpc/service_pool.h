// What the server offers, described: for reflection and health.
#ifndef TIDEGATE_GATEWAY_GRPC_SERVICE_POOL_H_
#define TIDEGATE_GATEWAY_GRPC_SERVICE_POOL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "views/pipeline/view_hub.h"

namespace google::protobuf {
class DescriptorPool;
}  // namespace google::protobuf

namespace tidegate {

// The services that are the same everywhere, and one of each view. Immutable;
// thread-safe.
class ServicePool {
 public:
  // InvalidArgument names a view whose messages have the names of another's.
  static absl::StatusOr<std::unique_ptr<ServicePool>> Create(
      const ViewHub& hub);
  ~ServicePool();

  const google::protobuf::DescriptorPool* descriptors() const {
    return pool_.get();
  }
  // Full names. The older name of reflection is answered and not among them.
  const std::vector<std::string>& services() const { return services_; }

 private:
  ServicePool();

  const std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  std::vector<std::string> services_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SERVICE_POOL_H_
