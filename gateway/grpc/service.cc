#include "gateway/grpc/service.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/grpc/descriptors.h"
#include "gateway/grpc/requests.h"
#include "gateway/grpc/status.h"
#include "gateway/grpc/subscribe_reactor.h"

namespace tidegate {
namespace {

grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext* context,
                                const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

// A stream that ends at once.
class RefusedStream : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

class RefusedSession
    : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse> {
 public:
  explicit RefusedSession(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

ViewServiceImpl::ViewServiceImpl(const ServerOptions& options,
                                 const ViewHub* hub, GatewayStats* stats,
                                 const Clock* clock, Broadcaster* broadcaster,
                                 OpenScans* scans)
    : options_(options),
      hub_(hub),
      stats_(stats),
      clock_(clock),
      broadcaster_(broadcaster),
      scans_(scans) {}

grpc::Status ViewServiceImpl::Refusal(const absl::Status& status) const {
  if (broadcaster_->draining() && absl::IsUnavailable(status)) {
    return ToGrpcWithRetry(status, broadcaster_->retry_after_ms());
  }
  if (absl::IsResourceExhausted(status) || absl::IsUnavailable(status)) {
    if (absl::IsResourceExhausted(status)) ++stats_->rejected;
    return ToGrpcWithRetry(status, kRetryDelayMs);
  }
  return ToGrpc(status);
}

absl::Status ViewServiceImpl::CheckServing() const {
  if (broadcaster_->draining()) {
    return absl::UnavailableError("server is draining");
  }
  return absl::OkStatus();
}

absl::StatusOr<const ViewHub::View*> ViewServiceImpl::Find(
    const std::string& name) const {
  RETURN_IF_ERROR(CheckServing());
  const ViewHub::View* view = hub_->Find(name);
  if (view == nullptr) return hub_->NoSuchView(name);
  RETURN_IF_ERROR_CTX(view->pipeline->status(), absl::StrCat("view=", name));
  return view;
}

void ViewServiceImpl::DescribeInto(const ViewHub::View& view,
                                   v1::ViewInfo* info) const {
  const MaterializedStore& store = view.pipeline->store();
  info->set_name(view.view->name);
  info->set_definition(view.view->definition);
  for (const int column : view.view->schema.key_columns) {
    info->add_key_columns(view.view->schema.fields[column].name);
  }
  info->set_pipeline(view.pipeline->name());
  info->set_version(view.view->version);
  info->set_row_count_estimate(store.RowCountEstimate(view.view->id));
  const auto rows = view.pipeline->store().HeadView();
  FillPosition(store, rows->seq(), info->mutable_position());
  FillTimestamp(rows->watermark(), [&] { return info->mutable_watermark(); });
  for (const PartitionWatermark& partition : view.pipeline->watermarks()) {
    FillPartition(partition, info->add_partitions());
  }
  if (view.view->event_time_column.empty()) return;
  info->set_event_time_column(view.view->event_time_column);
  FillDuration(view.view->watermark_delay_us, info->mutable_watermark_delay());
}

grpc::ServerUnaryReactor* ViewServiceImpl::ListViews(
    grpc::CallbackServerContext* context, const v1::ListViewsRequest*,
    v1::ListViewsResponse* response) {
  const absl::Status status = CheckServing();
  if (!status.ok()) return Reply(context, Refusal(status));
  for (const ViewHub::View& view : hub_->views()) {
    DescribeInto(view, response->add_views());
  }
  return Reply(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* ViewServiceImpl::DescribeView(
    grpc::CallbackServerContext* context,
    const v1::DescribeViewRequest* request,
    v1::DescribeViewResponse* response) {
  const absl::Status status = CheckServing();
  if (!status.ok()) return Reply(context, Refusal(status));
  const ViewHub::View* view = hub_->Find(request->view());
  if (view == nullptr) {
    return Reply(context, ToGrpc(hub_->NoSuchView(request->view())));
  }
  DescribeInto(*view, response->mutable_view());
  DescribeRows(view->view->name, view->view->schema,
               response->mutable_descriptors());
  return Reply(context, grpc::Status::OK);
}

void ViewServiceImpl::WhenReached(const ViewHub::View& view,
                                  const v1::Position& min_position,
                                  const grpc::CallbackServerContext& context,
                                  std::function<void(absl::Status)> then) {
  const absl::StatusOr<Seq> seq =
      SeqToReach(view.pipeline->store(), min_position);
  if (!seq.ok()) return then(seq.status());
  const int64_t now_us = clock_->Now().value();
  const int64_t left_us =
      std::chrono::duration_cast<std::chrono::microseconds>(
          std::min(context.deadline() - std::chrono::system_clock::now(),
                   std::chrono::system_clock::duration(
                       std::chrono::milliseconds(kMaxReadWaitMs))))
          .count();
  broadcaster_->WaitFor(view.pipeline, *seq, ProcessingTime(now_us + left_us),
                        std::move(then));
}

grpc::ServerUnaryReactor* ViewServiceImpl::Get(
    grpc::CallbackServerContext* context, const v1::GetRequest* request,
    v1::GetResponse* response) {
  ++stats_->reads;
  const absl::StatusOr<const ViewHub::View*> view = Find(request->view());
  if (!view.ok()) return Reply(context, Refusal(view.status()));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  WhenReached(
      **view, request->min_position(), *context,
      [this, reactor, request, response, view = *view](absl::Status status) {
        if (status.ok()) status = DoGet(*request, *view, response);
        reactor->Finish(Refusal(status));
      });
  return reactor;
}

absl::Status ViewServiceImpl::DoGet(const v1::GetRequest& request,
                                    const ViewHub::View& view,
                                    v1::GetResponse* response) {
  ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                   ReadKeys(*view.view, request.keys(), kMaxKeysPerGet));
  const auto rows = view.pipeline->store().HeadView();
  const WindowEnd window = WindowEndOf(*view.view);
  size_t bytes = 0;
  for (const std::string& key : keys) {
    v1::GetResponse::Entry* entry = response->add_entries();
    std::string row;
    bool corrected = false;
    ASSIGN_OR_RETURN(const bool found,
                     rows->GetRow(view.view->id, key, &row, &corrected));
    if (!found) continue;
    bytes += row.size();
    if (bytes > kMaxReplyBytes) {
      response->Clear();
      return absl::ResourceExhaustedError(absl::StrCat(
          "reply too large: ask for fewer keys at a time, limit in bytes ",
          kMaxReplyBytes));
    }
    entry->set_finality(
        ToProto(FinalityOf(window, row, corrected, rows->watermark())));
    entry->set_row(std::move(row));
  }
  FillPosition(view.pipeline->store(), rows->seq(),
               response->mutable_position());
  FillTimestamp(rows->watermark(),
                [&] { return response->mutable_watermark(); });
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ViewServiceImpl::Scan(
    grpc::CallbackServerContext* context, const v1::ScanRequest* request,
    v1::ScanResponse* response) {
  ++stats_->reads;
  const absl::Status served = CheckServed(*request);
  if (!served.ok()) return Reply(context, ToGrpc(served));
  const absl::StatusOr<const ViewHub::View*> view = Find(request->view());
  if (!view.ok()) return Reply(context, Refusal(view.status()));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  WhenReached(
      **view, request->min_position(), *context,
      [this, reactor, request, response, view = *view](absl::Status status) {
        if (status.ok()) status = DoScan(*request, *view, response);
        reactor->Finish(Refusal(status));
      });
  return reactor;
}

absl::Status ViewServiceImpl::DoScan(const v1::ScanRequest& request,
                                     const ViewHub::View& view,
                                     v1::ScanResponse* response) {
  const ProcessingTime now = clock_->Now();
  MaterializedStore& store = view.pipeline->store();
  PageToken token;
  token.view_hash = Fnv1a64(view.view->name);
  token.incarnation = store.incarnations().back().id;
  std::shared_ptr<const ReadView> rows;
  std::string start;
  if (request.page_token().empty()) {
    rows = store.HeadView();
  } else {
    ASSIGN_OR_RETURN(const PageToken given,
                     DecodePageToken(request.page_token()));
    if (given.view_hash != token.view_hash) {
      return absl::InvalidArgumentError("page_token belongs to another view");
    }
    if (given.incarnation == token.incarnation) {
      rows = scans_->Find(view.pipeline, given.seq, now);
    }
    if (rows == nullptr) {
      return absl::AbortedError(absl::StrCat(
          "scan expired, start again without page_token: position ",
          given.seq.value()));
    }
    start = given.last_key + '\0';
  }
  const size_t page_rows = request.page_size() == 0
                               ? kDefaultPageRows
                               : std::min(request.page_size(), kMaxPageRows);
  const std::unique_ptr<ViewIterator> at = rows->NewIterator(view.view->id);
  const WindowEnd window = WindowEndOf(*view.view);
  size_t bytes = 0;
  for (at->Seek(start); at->Valid(); at->Next()) {
    const size_t count = static_cast<size_t>(response->rows_size());
    if (count >= page_rows ||
        (count > 0 && bytes + at->row().size() > kMaxReplyBytes)) {
      token.seq = rows->seq();
      response->set_next_page_token(EncodePageToken(token));
      scans_->Keep(view.pipeline, rows, now);
      break;
    }
    bytes += at->row().size();
    response->add_rows(at->row().data(), at->row().size());
    const Finality finality =
        FinalityOf(window, at->row(), at->entry().corrected, rows->watermark());
    if (finality != Finality::kUnspecified) {
      response->add_finality(ToProto(finality));
    }
    token.last_key.assign(at->key().data(), at->key().size());
  }
  RETURN_IF_ERROR(at->status());
  FillPosition(store, rows->seq(), response->mutable_position());
  FillTimestamp(rows->watermark(),
                [&] { return response->mutable_watermark(); });
  return absl::OkStatus();
}

absl::StatusOr<SubscriptionSpec> ViewServiceImpl::MakeSpec(
    const ViewHub::View& view, const v1::SubscribeRequest& request) const {
  SubscriptionSpec spec;
  spec.view_name = view.view->name;
  spec.view_version = view.view->version;
  spec.schema = &view.view->schema;
  spec.window = WindowEndOf(*view.view);
  spec.filter.view = view.view->id;
  spec.filter.all_rows = request.keys().empty();
  ASSIGN_OR_RETURN(
      spec.filter.keys,
      ReadKeys(*view.view, request.keys(), options_.max_keys_per_subscription));
  spec.skip_snapshot = request.skip_snapshot();
  if (request.has_progress_interval()) {
    ASSIGN_OR_RETURN(spec.progress_interval_ms,
                     ReadProgressInterval(request.progress_interval()));
  }
  return spec;
}

absl::StatusOr<grpc::ServerWriteReactor<grpc::ByteBuffer>*>
ViewServiceImpl::Open(const grpc::ByteBuffer& bytes) {
  v1::SubscribeRequest request;
  if (!ParseRequest(bytes, &request)) {
    return absl::InvalidArgumentError("malformed SubscribeRequest");
  }
  RETURN_IF_ERROR(CheckServed(request));
  ASSIGN_OR_RETURN(const ViewHub::View* const view, Find(request.view()));
  ASSIGN_OR_RETURN(SubscriptionSpec spec, MakeSpec(*view, request));
  ASSIGN_OR_RETURN(
      std::unique_ptr<Subscription> subscription,
      Subscription::Create(std::move(spec), &view->pipeline->store(),
                           request.resume_token()));
  auto reactor = std::make_shared<SubscribeReactor>(
      std::move(subscription), view->pipeline, broadcaster_, stats_,
      &stats_->view(view->view->name), clock_);
  if (!broadcaster_->Add(reactor)) {
    RETURN_IF_ERROR(CheckServing());
    return absl::ResourceExhaustedError(
        absl::StrCat("too many subscribers, limit ", options_.max_subscribers));
  }
  reactor->Pump();
  return reactor.get();
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* ViewServiceImpl::Subscribe(
    grpc::CallbackServerContext*, const grpc::ByteBuffer* request) {
  auto reactor = Open(*request);
  if (reactor.ok()) return *reactor;
  return new RefusedStream(Refusal(reactor.status()));
}

grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>*
ViewServiceImpl::Session(grpc::CallbackServerContext*) {
  return new RefusedSession(ToGrpc(absl::UnimplementedError(
      "method Session is not served by this version; use Subscribe")));
}

}  // namespace tidegate
