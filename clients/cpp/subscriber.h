// A subscription that survives: connects, resumes by token, obeys drains and
// proves continuity, and hands events over in order.
#ifndef TIDEGATE_CLIENTS_CPP_SUBSCRIBER_H_
#define TIDEGATE_CLIENTS_CPP_SUBSCRIBER_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "clients/cpp/connect_options.h"
#include "clients/cpp/event.h"
#include "clients/cpp/watch_options.h"

namespace tidegate::client {

struct SubscriberOptions : ConnectOptions, WatchOptions {};

// Thread-safe. Run() is called once.
class Subscriber {
 public:
  static std::unique_ptr<Subscriber> Create(SubscriberOptions options);
  virtual ~Subscriber() = default;

  // Subscribes and calls `handler`, on this thread, for every event, until it
  // returns false or Stop() (both: OK), the server refuses for good (its
  // status; e.g. NotFound), the stream breaks a promise (DataLoss, after a
  // kBroken event), or too many attempts have failed (the last one's status).
  virtual absl::Status Run(std::function<bool(Event)> handler) = 0;
  // Ends Run() soon.
  virtual void Stop() = 0;
  // Cuts the present connection, as a network would; Run() resumes.
  virtual void Disconnect() = 0;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_SUBSCRIBER_H_
