// tidegate.v1.ViewService's methods.
#ifndef TIDEGATE_GATEWAY_GRPC_SERVICE_H_
#define TIDEGATE_GATEWAY_GRPC_SERVICE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "gateway/core/stats.h"
#include "gateway/grpc/broadcaster.h"
#include "gateway/grpc/scans.h"
#include "gateway/grpc/server.h"
#include "tidegate/v1/view_service.grpc.pb.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

using ViewServiceBase = v1::ViewService::WithCallbackMethod_ListViews<
    v1::ViewService::WithCallbackMethod_DescribeView<
        v1::ViewService::WithCallbackMethod_Get<
            v1::ViewService::WithCallbackMethod_Scan<
                v1::ViewService::WithRawCallbackMethod_Subscribe<
                    v1::ViewService::WithCallbackMethod_Session<
                        v1::ViewService::Service>>>>>>;

// Thread-safe. Borrows everything it is given. Subscribe's messages are bytes
// from the subscription core.
class ViewServiceImpl : public ViewServiceBase {
 public:
  ViewServiceImpl(const ServerOptions& options, const ViewHub* hub,
                  GatewayStats* stats, const Clock* clock,
                  Broadcaster* broadcaster, OpenScans* scans);

  grpc::ServerUnaryReactor* ListViews(grpc::CallbackServerContext* context,
                                      const v1::ListViewsRequest* request,
                                      v1::ListViewsResponse* response) override;
  grpc::ServerUnaryReactor* DescribeView(
      grpc::CallbackServerContext* context,
      const v1::DescribeViewRequest* request,
      v1::DescribeViewResponse* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const v1::GetRequest* request,
                                v1::GetResponse* response) override;
  grpc::ServerUnaryReactor* Scan(grpc::CallbackServerContext* context,
                                 const v1::ScanRequest* request,
                                 v1::ScanResponse* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Subscribe(
      grpc::CallbackServerContext* context,
      const grpc::ByteBuffer* request) override;
  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(
      grpc::CallbackServerContext* context) override;

 private:
  // The view, if it can be served now.
  absl::StatusOr<const ViewHub::View*> Find(const std::string& name) const;
  absl::Status CheckServing() const;
  absl::StatusOr<grpc::ServerWriteReactor<grpc::ByteBuffer>*> Open(
      const grpc::ByteBuffer& bytes);
  absl::StatusOr<SubscriptionSpec> MakeSpec(
      const ViewHub::View& view, const v1::SubscribeRequest& request) const;
  absl::Status DoGet(const v1::GetRequest& request, const ViewHub::View& view,
                     v1::GetResponse* response);
  absl::Status DoScan(const v1::ScanRequest& request, const ViewHub::View& view,
                      v1::ScanResponse* response);
  void DescribeInto(const ViewHub::View& view, v1::ViewInfo* info) const;
  // Calls `then` once the view has reached `min_position`; FailedPrecondition
  // if that is no position of this history.
  void WhenReached(const ViewHub::View& view, const v1::Position& min_position,
                   const grpc::CallbackServerContext& context,
                   std::function<void(absl::Status)> then);
  grpc::Status Refusal(const absl::Status& status) const;

  const ServerOptions options_;
  const ViewHub* const hub_;
  GatewayStats* const stats_;
  const Clock* const clock_;
  Broadcaster* const broadcaster_;
  OpenScans* const scans_;
};

// Unimplemented, naming the first field that is set and not served.
absl::Status CheckServed(const v1::SubscribeRequest& request);
absl::Status CheckServed(const v1::ScanRequest& request);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SERVICE_H_
