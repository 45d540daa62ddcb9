// A subscription with a local copy of its rows.
#ifndef TIDEGATE_CLIENTS_CPP_SUBSCRIPTION_H_
#define TIDEGATE_CLIENTS_CPP_SUBSCRIPTION_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cpp/connect_options.h"
#include "clients/cpp/event.h"
#include "clients/cpp/key_order.h"
#include "clients/cpp/mirror.h"
#include "clients/cpp/watch_options.h"

namespace tidegate::client {

struct SubscribeOptions : WatchOptions {
  MirrorLimits limits;
};

// Each may be empty. All are called on one thread, in order; while one runs,
// nothing more is read, and a server that has much to say conflates it. An
// error that one returns ends its subscription, or its watch, with it.
struct Handlers {
  // Of each row that has changed, once the mirror shows the whole commit.
  std::function<absl::Status(const RowChange& change)> on_change;
  // After the changes that the event brought, if any.
  std::function<absl::Status(const Event& event)> on_event;
  // Of a session's watch: the answer to Watch::ChangeKeys has come.
  std::function<void(uint64_t request)> on_keys_applied;
  // The last one: OK after Stop().
  std::function<void(const absl::Status& why)> on_end;
};

// Reads the order of a view's keys from a server.
using KeyOrderSource =
    std::function<absl::StatusOr<KeyOrder>(const std::string& view)>;

// Thread-safe. Connects, reconnects and resumes on a thread of its own, from
// its making until it ends or is destroyed, which ends it.
class Subscription {
 public:
  static std::unique_ptr<Subscription> Create(const ConnectOptions& connect,
                                              const SubscribeOptions& options,
                                              Handlers handlers,
                                              KeyOrderSource order_of);
  // Not from a handler.
  virtual ~Subscription() = default;

  virtual const Mirror& rows() const = 0;
  // Ends it soon.
  virtual void Stop() = 0;
  // Waits until it has ended: OK after Stop(), else why: the server's refusal
  // (e.g. NotFound), DataLoss if it broke a promise, a handler's error, or
  // ResourceExhausted if the mirror is full. Not from a handler.
  virtual absl::Status Wait() = 0;
  // Cuts the present connection, as a network would.
  virtual void Disconnect() = 0;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_SUBSCRIPTION_H_
