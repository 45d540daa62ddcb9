// What a client asks for, as a subscription: shared by Subscribe and Session.
#ifndef TIDEGATE_GATEWAY_GRPC_SUBSCRIBE_REQUEST_H_
#define TIDEGATE_GATEWAY_GRPC_SUBSCRIBE_REQUEST_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "gateway/core/subscription.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

namespace v1 {
class SubscribeRequest;
}  // namespace v1

struct SpecOptions {
  size_t max_keys = 0;
  // The keys, if it has any, come and go.
  bool growing = false;
  // Of the view's pipeline; may be null.
  RangeCache* ranges = nullptr;
  SnapshotFeeds* feeds = nullptr;
};

// InvalidArgument names the field and what is wrong with it; ResourceExhausted
// over max_keys. The request's `view` and `resume_token` are not looked at.
absl::StatusOr<SubscriptionSpec> MakeSpec(const ViewHub::View& view,
                                          const v1::SubscribeRequest& request,
                                          const SpecOptions& options);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SUBSCRIBE_REQUEST_H_
