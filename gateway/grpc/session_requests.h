// A client's SessionRequests, as calls on its Session.
#ifndef TIDEGATE_GATEWAY_GRPC_SESSION_REQUESTS_H_
#define TIDEGATE_GATEWAY_GRPC_SESSION_REQUESTS_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/core/session.h"
#include "gateway/core/stats.h"
#include "gateway/core/stream.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

namespace v1 {
class SessionRequest_Keys;
class SubscribeRequest;
}  // namespace v1

// Of the fan-out's thread. Borrows what it is given.
class SessionRequests {
 public:
  SessionRequests(const ViewHub* hub, GatewayStats* stats)
      : hub_(hub), stats_(stats) {}

  // `bytes` is a SessionRequest; `own` is not null in a session of a view's own
  // service. What is wrong with one watch is told in its
  // Failure. InvalidArgument, which ends the session, if it is malformed or
  // asks for nothing: then no watch can be blamed.
  absl::Status Apply(absl::string_view bytes, const ViewHub::View* own,
                     Session* session) const;

 private:
  absl::StatusOr<std::unique_ptr<Watch>> MakeWatch(
      const v1::SubscribeRequest& request, const ViewHub::View* own,
      WatchRegistry* registry) const;
  void ChangeKeys(uint64_t number, const v1::SessionRequest_Keys& keys,
                  Session* session) const;

  const ViewHub* const hub_;
  GatewayStats* const stats_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SESSION_REQUESTS_H_
