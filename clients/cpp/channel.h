// Private to clients/cpp: what its gRPC shells share.
#ifndef TIDEGATE_CLIENTS_CPP_CHANNEL_H_
#define TIDEGATE_CLIENTS_CPP_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "clients/cpp/connect_options.h"

namespace google::protobuf {
class Duration;
}  // namespace google::protobuf

namespace grpc {
class Channel;
class Status;
}  // namespace grpc

namespace tidegate::client {

inline constexpr int kMaxMessageBytes = 256 << 20;

// Channels to the servers of a client, one after the other. Thread-safe.
class Channels {
 public:
  explicit Channels(const ConnectOptions& options);

  // A channel of its own (never shared with another of the process), to the
  // next server. InvalidArgument if there is no server, or what TLS needs
  // cannot be read.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Fresh();
  // The one that Get() returned last, unless it has been dropped.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Get();
  // If Get() would return it: not again.
  void Drop(const std::shared_ptr<grpc::Channel>& failed);
  size_t servers() const { return servers_.size(); }

 private:
  absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeNext()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<std::string> servers_;
  const std::optional<TlsOptions> tls_;
  Mutex mutex_;
  size_t next_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<grpc::Channel> present_ ABSL_GUARDED_BY(mutex_);
};

// The codes are the same numbers.
absl::Status ToAbslStatus(const grpc::Status& status);
// As google.rpc.RetryInfo in its details has it; 0 if there is none.
int64_t RetryDelayMs(const grpc::Status& status);
// A new attempt could not end otherwise.
bool IsPermanent(const absl::Status& status);
void SetMillis(int64_t ms, google::protobuf::Duration* duration);

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_CHANNEL_H_
