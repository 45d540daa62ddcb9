// Private to clients/cpp: what its gRPC shells share.
#ifndef TIDEGATE_CLIENTS_CPP_CHANNEL_H_
#define TIDEGATE_CLIENTS_CPP_CHANNEL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace google::protobuf {
class Duration;
}  // namespace google::protobuf

namespace grpc {
class Channel;
class Status;
}  // namespace grpc

namespace tidegate::client {

inline constexpr int kMaxMessageBytes = 256 << 20;

// A plaintext channel of its own (never shared with another of the process).
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& server);
// The codes are the same numbers.
absl::Status ToAbslStatus(const grpc::Status& status);
// A new attempt could not end otherwise.
bool IsPermanent(const absl::Status& status);
void SetMillis(int64_t ms, google::protobuf::Duration* duration);

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_CHANNEL_H_
