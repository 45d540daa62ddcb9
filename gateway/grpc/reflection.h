// grpc.reflection.v1 (and v1alpha, whose bytes are the same) without the
// transport: request bytes to response bytes.
#ifndef TIDEGATE_GATEWAY_GRPC_REFLECTION_H_
#define TIDEGATE_GATEWAY_GRPC_REFLECTION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class DescriptorPool;
class FileDescriptor;
}  // namespace google::protobuf

namespace tidegate {

// What a reflection service says of the services of a pool. Immutable, thread-
// safe; the pool must outlive it and gain no files meanwhile.
class Reflection {
 public:
  // `services` have their full names and are in the pool.
  Reflection(const google::protobuf::DescriptorPool* pool,
             std::vector<std::string> services)
      : pool_(pool), services_(std::move(services)) {}

  // ServerReflectionResponse for a ServerReflectionRequest: what is unknown is
  // told in it, as the protocol has it. InvalidArgument if it is malformed.
  absl::StatusOr<std::string> Answer(absl::string_view request) const;

 private:
  const google::protobuf::DescriptorPool* const pool_;
  const std::vector<std::string> services_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_REFLECTION_H_
