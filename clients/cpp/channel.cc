#include "clients/cpp/channel.h"

#include <google/protobuf/duration.pb.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/coding.h"
#include "base/status_macros.h"

namespace tidegate::client {
namespace {

using Credentials = std::shared_ptr<grpc::ChannelCredentials>;

std::vector<std::string> SplitServers(const std::string& text) {
  std::vector<std::string> servers;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (!part.empty()) servers.emplace_back(part);
  }
  return servers;
}

// Empty for no file.
absl::StatusOr<std::string> ReadFile(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::ostringstream text;
  if (file.is_open()) text << file.rdbuf();
  if (!file.is_open() || file.bad() || text.str().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TLS: cannot read ", path, ": ",
                     file.is_open() ? "no text" : std::strerror(errno)));
  }
  return text.str();
}

absl::StatusOr<Credentials> MakeCredentials(
    const std::optional<TlsOptions>& tls) {
  if (!tls.has_value()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, ReadFile(tls->ca_file));
  ASSIGN_OR_RETURN(options.pem_cert_chain, ReadFile(tls->cert_file));
  ASSIGN_OR_RETURN(options.pem_private_key, ReadFile(tls->key_file));
  if (options.pem_cert_chain.empty() != options.pem_private_key.empty()) {
    return absl::InvalidArgumentError(
        "TLS: cert_file and key_file come together");
  }
  return grpc::SslCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const std::string& server, const std::optional<TlsOptions>& tls) {
  ASSIGN_OR_RETURN(const Credentials credentials, MakeCredentials(tls));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // Despite its name, how long an attempt to connect may take: on a busy
  // machine the first answer of a server that is there takes a while.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);
  // Our own backoff decides; gRPC's must not be slower.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  // A peer that vanished is noticed.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (tls.has_value() && !tls->server_name.empty()) {
    arguments.SetSslTargetNameOverride(tls->server_name);
  }
  return grpc::CreateCustomChannel(server, credentials, arguments);
}

}  // namespace

Channels::Channels(const ConnectOptions& options)
    : servers_(SplitServers(options.server)),
      tls_(options.tls),
      next_(options.seed % std::max<size_t>(1, servers_.size())) {}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Channels::MakeNext() {
  if (servers_.empty()) {
    return absl::InvalidArgumentError("no server to connect to is named");
  }
  const std::string& server = servers_[next_];
  next_ = (next_ + 1) % servers_.size();
  return MakeChannel(server, tls_);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Channels::Fresh() {
  MutexLock lock(&mutex_);
  return MakeNext();
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Channels::Get() {
  MutexLock lock(&mutex_);
  if (present_ == nullptr) {
    ASSIGN_OR_RETURN(present_, MakeNext());
  }
  return present_;
}

void Channels::Drop(const std::shared_ptr<grpc::Channel>& failed) {
  MutexLock lock(&mutex_);
  if (present_ == failed) present_ = nullptr;
}

absl::Status ToAbslStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

int64_t RetryDelayMs(const grpc::Status& status) {
  // google.rpc.Status{details: 3}, of google.protobuf.Any{type_url: 1,
  // value: 2}, of google.rpc.RetryInfo{retry_delay: 1}.
  const std::string& details = status.error_details();
  absl::string_view left = details;
  WireField any;
  while (!left.empty() && GetWireField(&left, &any)) {
    if (any.number != 3 || any.type != WireType::kLengthDelimited) continue;
    absl::string_view type;
    absl::string_view value;
    WireField field;
    while (!any.bytes.empty() && GetWireField(&any.bytes, &field)) {
      if (field.number == 1) type = field.bytes;
      if (field.number == 2) value = field.bytes;
    }
    if (!absl::EndsWith(type, "/google.rpc.RetryInfo")) continue;
    google::protobuf::Duration delay;
    if (GetWireField(&value, &field) && field.number == 1 &&
        delay.ParseFromArray(field.bytes.data(),
                             static_cast<int>(field.bytes.size()))) {
      // Up: an attempt may not be too early.
      const int64_t seconds = std::min<int64_t>(delay.seconds(), 1'000'000'000);
      return seconds * 1000 + (delay.nanos() + 999'999) / 1'000'000;
    }
  }
  return 0;
}

bool IsPermanent(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

void SetMillis(int64_t ms, google::protobuf::Duration* duration) {
  duration->set_seconds(ms / 1000);
  duration->set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
}

}  // namespace tidegate::client
