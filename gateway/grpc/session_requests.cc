#include "gateway/grpc/session_requests.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/grpc/requests.h"
#include "gateway/grpc/subscribe_request.h"
#include "tidegate/v1/view_service.pb.h"

namespace tidegate {
namespace {

// The view that a watch is of, in the hub.
const CatalogView* ViewOf(const Watch& watch) {
  const ViewId id = watch.subscription->filter().view;
  for (const CatalogView& view : watch.pipeline->catalog().views) {
    if (view.id == id) return &view;
  }
  return nullptr;
}

}  // namespace

absl::Status SessionRequests::Apply(absl::string_view bytes,
                                    const ViewHub::View* own,
                                    Session* session) const {
  v1::SessionRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("malformed SessionRequest");
  }
  switch (request.action_case()) {
    case v1::SessionRequest::kWatch:
      session->AddWatch(
          request.watch().id(),
          MakeWatch(request.watch().subscribe(), own, session->registry()));
      return absl::OkStatus();
    case v1::SessionRequest::kKeys:
      ChangeKeys(request.request(), request.keys(), session);
      return absl::OkStatus();
    case v1::SessionRequest::kUnwatch:
      session->RemoveWatch(request.unwatch());
      return absl::OkStatus();
    case v1::SessionRequest::ACTION_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("SessionRequest ", request.request(),
                   " without an action; expected watch, keys or unwatch"));
}

absl::StatusOr<std::unique_ptr<Watch>> SessionRequests::MakeWatch(
    const v1::SubscribeRequest& request, const ViewHub::View* own,
    WatchRegistry* registry) const {
  ASSIGN_OR_RETURN(const ViewHub::View* const view,
                   ServedView(*hub_, request.view(), own));
  SpecOptions options;
  options.max_keys = kMaxKeysPerSession;
  options.growing = true;
  options.ranges = registry->ranges(view->pipeline);
  options.feeds = registry->feeds(view->pipeline);
  ASSIGN_OR_RETURN(SubscriptionSpec spec, MakeSpec(*view, request, options));
  auto watch = std::make_unique<Watch>();
  watch->pipeline = view->pipeline;
  watch->stats = &stats_->view(view->view->name);
  ASSIGN_OR_RETURN(
      watch->subscription,
      Subscription::Create(std::move(spec), &view->pipeline->store(),
                           request.resume_token()));
  return watch;
}

void SessionRequests::ChangeKeys(uint64_t number,
                                 const v1::SessionRequest_Keys& keys,
                                 Session* session) const {
  const Watch* const watch = session->Find(keys.id());
  const CatalogView* const view = watch == nullptr ? nullptr : ViewOf(*watch);
  if (view == nullptr) {  // the session says so
    session->ChangeKeys(keys.id(), number, std::vector<std::string>(),
                        std::vector<std::string>());
    return;
  }
  session->ChangeKeys(keys.id(), number,
                      ReadKeys(*view, keys.add(), kMaxKeysPerSession),
                      ReadKeys(*view, keys.remove(), kMaxKeysPerSession));
}

}  // namespace tidegate
