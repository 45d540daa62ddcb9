// Tidegate's client library. Start here; typed.h adds rows as the classes that
// protoc makes of what `tidegate proto VIEW` prints.
//
//   ClientOptions options;
//   options.server = "tidegate-1:7070,tidegate-2:7070";
//   ASSIGN client = Client::Create(options);
//   SubscribeOptions wanted;
//   wanted.view = "driver_totals";
//   const auto totals = client->Subscribe(wanted);
//   totals->rows().WaitUntilLive(std::chrono::seconds(10));
//
// A subscription, and each watch of a session, keeps a local mirror of its
// rows. It connects, reconnects with jittered backoff and resumes by itself,
// and checks of every message that it continues what is held: it misses nothing
// and repeats nothing, or it ends and says so. README.md in this folder tells
// more.
#ifndef TIDEGATE_CLIENTS_CPP_TIDEGATE_CLIENT_H_
#define TIDEGATE_CLIENTS_CPP_TIDEGATE_CLIENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "clients/cpp/connect_options.h"
#include "clients/cpp/dynamic_rows.h"
#include "clients/cpp/session.h"
#include "clients/cpp/subscription.h"
#include "clients/cpp/view_client.h"

namespace tidegate::client {

struct ClientOptions : ConnectOptions {
  int64_t timeout_ms = 10'000;  // of a call; streams have none
};

// Thread-safe. May go before the subscriptions and sessions that it made.
class Client {
 public:
  // Connects to nothing yet: a server may come later. InvalidArgument if the
  // options name no server, or files that cannot be read. Without a seed every
  // client has one of its own.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);

  absl::StatusOr<std::vector<ViewDescription>> List() { return calls_->List(); }
  absl::StatusOr<ViewDescription> Describe(const std::string& view) {
    return calls_->Describe(view);
  }
  // To read and write the view's rows and keys without generated classes.
  absl::StatusOr<std::unique_ptr<DynamicRows>> Rows(const std::string& view);

  // See ViewClient for these.
  absl::StatusOr<FoundRows> Read(
      const std::string& view, const std::vector<std::string>& keys,
      const std::optional<StreamPosition>& min_position = std::nullopt) {
    return calls_->Read(view, keys, min_position);
  }
  absl::StatusOr<std::optional<FoundRow>> Get(const std::string& view,
                                              const std::string& key);
  absl::StatusOr<StreamPosition> Scan(
      const std::string& view, const ScanOptions& options,
      absl::FunctionRef<bool(const FoundRow& row)> sink) {
    return calls_->Scan(view, options, sink);
  }
  absl::StatusOr<ScannedRows> ScanAll(const std::string& view,
                                      const ScanOptions& options) {
    return calls_->ScanAll(view, options);
  }

  std::unique_ptr<Subscription> Subscribe(const SubscribeOptions& options,
                                          Handlers handlers = {});
  std::unique_ptr<Session> OpenSession();

 private:
  Client(ClientOptions options, std::shared_ptr<ViewClient> calls);
  // Each stream's jitter is its own.
  ConnectOptions ForStream();

  const ClientOptions options_;
  const std::shared_ptr<ViewClient> calls_;
  Mutex mutex_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_TIDEGATE_CLIENT_H_
