#include "gateway/grpc/status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "gateway/core/response.h"

namespace tidegate {
namespace {

void PutBytes(std::string* out, uint32_t field, absl::string_view bytes) {
  PutTag(out, field, WireType::kLengthDelimited);
  PutLengthPrefixed(out, bytes);
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

grpc::Status ToGrpcWithRetry(const absl::Status& status,
                             int64_t retry_after_ms) {
  const std::string message =
      absl::StrCat(status.message(), "; try again in ", retry_after_ms, " ms");
  std::string retry;  // google.rpc.RetryInfo
  PutDurationField(&retry, 1, retry_after_ms);
  std::string any;  // google.protobuf.Any
  PutBytes(&any, 1, "type.googleapis.com/google.rpc.RetryInfo");
  PutBytes(&any, 2, retry);
  std::string details;  // google.rpc.Status
  PutTag(&details, 1, WireType::kVarint);
  PutVarint64(&details, static_cast<uint64_t>(status.code()));
  PutBytes(&details, 2, message);
  PutBytes(&details, 3, any);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message,
                      details);
}

}  // namespace tidegate
