// Statuses as gRPC has them.
#ifndef TIDEGATE_GATEWAY_GRPC_STATUS_H_
#define TIDEGATE_GATEWAY_GRPC_STATUS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace tidegate {

grpc::Status ToGrpc(const absl::Status& status);
// With google.rpc.RetryInfo in the details, as client libraries read it.
grpc::Status ToGrpcWithRetry(const absl::Status& status,
                             int64_t retry_after_ms);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_STATUS_H_
