// The methods of tidegate.v1.ViewService and of every view's own service, which
// are the same with the view known beforehand.
#ifndef TIDEGATE_GATEWAY_GRPC_SERVICE_H_
#define TIDEGATE_GATEWAY_GRPC_SERVICE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "gateway/core/stats.h"
#include "gateway/grpc/methods.h"
#include "gateway/grpc/scan_request.h"
#include "gateway/grpc/scans.h"
#include "gateway/grpc/server.h"
#include "gateway/grpc/session_requests.h"
#include "tidegate/v1/view_service.pb.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

// A Get of more keys runs on a worker: one key that is not in memory is a read
// of the disk, which the thread that pushes can bear for few.
inline constexpr int kMaxInlineGetKeys = 16;

// Thread-safe. Borrows everything it is given. Subscribe's messages are bytes
// from the subscription core.
class ViewService {
 public:
  ViewService(const ServerOptions& options, const ViewHub* hub,
              GatewayStats* stats, const Clock* clock, OpenScans* scans);

  // The service and the hub must outlive the table.
  void AddMethods(MethodTable* methods);

 private:
  using Reply = Method::Reply;
  void ListViews(const UnaryCall& call, const Reply& reply);
  void DescribeView(const UnaryCall& call, const Reply& reply);
  // `own` is null for the methods of ViewService, where requests name a view.
  void AddMethodsFor(const ViewHub::View* own, const std::string& service,
                     MethodTable* methods);
  void Get(const UnaryCall& call, const ViewHub::View* own, Reply reply);
  void Scan(const UnaryCall& call, const ViewHub::View* own, Reply reply);
  absl::StatusOr<std::unique_ptr<Stream>> Subscribe(CallThread* thread,
                                                    const std::string& bytes,
                                                    const ViewHub::View* own,
                                                    WatchRegistry* registry);

  // The view of a request, if it can be served now.
  absl::StatusOr<const ViewHub::View*> Find(CallThread* thread,
                                            const std::string& name,
                                            const ViewHub::View* own) const;
  absl::StatusOr<std::string> DoGet(const v1::GetRequest& request,
                                    const ViewHub::View& view) const;
  absl::StatusOr<std::string> DoScan(const ScanSpec& scan,
                                     const ViewHub::View& view,
                                     ProcessingTime deadline) const;
  void DescribeInto(const ViewHub::View& view, v1::ViewInfo* info) const;
  // Calls `then` once the view has reached `min_position`; FailedPrecondition
  // if that is no position of this history.
  void WhenReached(const ViewHub::View& view, const v1::Position& min_position,
                   const UnaryCall& call,
                   std::function<void(absl::Status)> then) const;

  const ServerOptions options_;
  const ViewHub* const hub_;
  GatewayStats* const stats_;
  const Clock* const clock_;
  OpenScans* const scans_;
  const SessionRequests session_requests_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SERVICE_H_
