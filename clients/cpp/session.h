// A session for a backend that serves many users over one connection: watches
// whose keys come and go, each with a local copy of its rows.
#ifndef TIDEGATE_CLIENTS_CPP_SESSION_H_
#define TIDEGATE_CLIENTS_CPP_SESSION_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cpp/connect_options.h"
#include "clients/cpp/mirror.h"
#include "clients/cpp/subscription.h"

namespace tidegate::client {

// Thread-safe. To destroy it gives the watch up; none of its handlers runs
// after that, unless one of them has destroyed it. It may outlive its session.
class Watch {
 public:
  virtual ~Watch() = default;

  // From 1 on, in the order in which the session's were added.
  virtual uint32_t number() const = 0;
  // A watch without keys is not asked for, and has none: it stays kLoading.
  virtual const Mirror& rows() const = 0;
  // Of a keyed watch; <View>Key messages. Those to remove go first, and their
  // rows leave the mirror with the answer. The request's number. Errors as
  // SessionClient::ChangeKeys has them.
  virtual absl::StatusOr<uint64_t> ChangeKeys(
      std::vector<std::string> add, std::vector<std::string> remove) = 0;
  // Waits until the mirror shows what that request has asked for.
  virtual absl::Status WaitForKeys(uint64_t request,
                                   std::chrono::milliseconds timeout) const = 0;
};

// Thread-safe. Connects, reconnects and resumes on a thread of its own, from
// its making until it ends or is destroyed, which ends it. All handlers of all
// its watches are called on that thread.
class Session {
 public:
  static std::unique_ptr<Session> Create(const ConnectOptions& connect,
                                         KeyOrderSource order_of);
  // Not from a handler.
  virtual ~Session() = default;

  // Never null. If a watch ends by itself (refused, its mirror full, an error
  // of a handler), its mirror and on_end say why; the session goes on.
  virtual std::unique_ptr<Watch> AddWatch(const SubscribeOptions& options,
                                          Handlers handlers) = 0;
  std::unique_ptr<Watch> AddWatch(const SubscribeOptions& options) {
    return AddWatch(options, {});
  }
  // It has: what its watches are told of their ends is the session's own.
  virtual bool ended() const = 0;
  // As Subscription has them.
  virtual void Stop() = 0;
  virtual absl::Status Wait() = 0;
  virtual void Disconnect() = 0;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_SESSION_H_
