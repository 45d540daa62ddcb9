#include "clients/cpp/tidegate_client.h"

#include "base/status_macros.h"
#include "clients/cpp/channel.h"

namespace tidegate::client {
namespace {

// Keeps what it asks through.
KeyOrderSource OrderSource(std::shared_ptr<ViewClient> calls) {
  return [calls = std::move(calls)](
             const std::string& view) -> absl::StatusOr<KeyOrder> {
    ASSIGN_OR_RETURN(const std::unique_ptr<DynamicRows> rows,
                     DescribeRows(calls.get(), view));
    return rows->key_order();
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  // To make a channel connects to nothing, and finds what is wrong.
  RETURN_IF_ERROR(Channels(options).Fresh().status());
  if (options.seed == 0) {
    std::random_device device;
    options.seed = uint64_t{device()} << 32 | device();
  }
  std::shared_ptr<ViewClient> calls =
      ViewClient::Create(options, options.timeout_ms);
  return std::unique_ptr<Client>(
      new Client(std::move(options), std::move(calls)));
}

Client::Client(ClientOptions options, std::shared_ptr<ViewClient> calls)
    : options_(std::move(options)),
      calls_(std::move(calls)),
      random_(options_.seed) {}

ConnectOptions Client::ForStream() {
  ConnectOptions connect = options_;
  MutexLock lock(&mutex_);
  connect.seed = random_();
  return connect;
}

absl::StatusOr<std::unique_ptr<DynamicRows>> Client::Rows(
    const std::string& view) {
  return DescribeRows(calls_.get(), view);
}

absl::StatusOr<std::optional<FoundRow>> Client::Get(const std::string& view,
                                                    const std::string& key) {
  ASSIGN_OR_RETURN(FoundRows found, Read(view, {key}));
  return std::move(found.rows[0]);
}

std::unique_ptr<Subscription> Client::Subscribe(const SubscribeOptions& options,
                                                Handlers handlers) {
  return Subscription::Create(ForStream(), options, std::move(handlers),
                              OrderSource(calls_));
}

std::unique_ptr<Session> Client::OpenSession() {
  return Session::Create(ForStream(), OrderSource(calls_));
}

}  // namespace tidegate::client
