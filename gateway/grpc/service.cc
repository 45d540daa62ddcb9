#include "gateway/grpc/service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/core/scan_page.h"
#include "gateway/core/session.h"
#include "gateway/core/subscribe_stream.h"
#include "gateway/grpc/requests.h"
#include "gateway/grpc/subscribe_request.h"
#include "gateway/grpc/typed_file.h"
#include "gateway/grpc/worker_pool.h"

namespace tidegate {
namespace {

absl::Status CheckServing(CallThread* thread) {
  if (thread->fan_out().draining()) {
    return absl::UnavailableError("server is draining");
  }
  return absl::OkStatus();
}

template <typename Request>
absl::StatusOr<Request> Parse(const std::string& bytes) {
  Request request;
  if (request.ParseFromString(bytes)) return request;
  return absl::InvalidArgumentError(
      absl::StrCat("malformed ", Request::descriptor()->name()));
}

// Answers with what `task` returns, which may wait for the disk.
void AnswerElsewhere(CallThread* thread,
                     std::function<absl::StatusOr<std::string>()> task,
                     const Method::Reply& reply) {
  const bool taken =
      thread->RunElsewhere([thread, task = std::move(task), reply] {
        thread->Post([reply, answer = task()] { reply(answer); });
      });
  if (!taken) {
    reply(absl::ResourceExhaustedError(
        absl::StrCat("too many reads wait, limit ", kMaxQueuedReads)));
  }
}

}  // namespace

ViewService::ViewService(const ServerOptions& options, const ViewHub* hub,
                         GatewayStats* stats, const Clock* clock,
                         OpenScans* scans)
    : options_(options),
      hub_(hub),
      stats_(stats),
      clock_(clock),
      scans_(scans),
      session_requests_(hub, stats) {}

void ViewService::AddMethods(MethodTable* methods) {
  const std::string service = "tidegate.v1.ViewService";
  (*methods)[absl::StrCat("/", service, "/ListViews")].unary =
      [this](const UnaryCall& call, const Reply& reply) {
        ListViews(call, reply);
      };
  (*methods)[absl::StrCat("/", service, "/DescribeView")].unary =
      [this](const UnaryCall& call, const Reply& reply) {
        DescribeView(call, reply);
      };
  AddMethodsFor(nullptr, service, methods);
  for (const ViewHub::View& view : hub_->views()) {
    AddMethodsFor(&view, TypedServiceName(view.view->name), methods);
  }
}

void ViewService::AddMethodsFor(const ViewHub::View* own,
                                const std::string& service,
                                MethodTable* methods) {
  (*methods)[absl::StrCat("/", service, "/Get")].unary =
      [this, own](const UnaryCall& call, Reply reply) {
        Get(call, own, std::move(reply));
      };
  (*methods)[absl::StrCat("/", service, "/Scan")].unary =
      [this, own](const UnaryCall& call, Reply reply) {
        Scan(call, own, std::move(reply));
      };
  (*methods)[absl::StrCat("/", service, "/Subscribe")].open =
      [this, own](CallThread* thread, const std::string& bytes,
                  WatchRegistry* registry) {
        return Subscribe(thread, bytes, own, registry);
      };
  Method& session = (*methods)[absl::StrCat("/", service, "/Session")];
  session.open =
      [](CallThread* thread, const std::string&,
         WatchRegistry* registry) -> absl::StatusOr<std::unique_ptr<Stream>> {
    RETURN_IF_ERROR(CheckServing(thread));
    return Session::Create(registry);
  };
  // Streams of this method are Sessions.
  session.on_request = [this, own](CallThread*, Stream* stream,
                                   const std::string& bytes) {
    return session_requests_.Apply(bytes, own, static_cast<Session*>(stream));
  };
  session.accepts_requests = [](const Stream& stream) {
    return static_cast<const Session&>(stream).accepts_requests();
  };
}

absl::StatusOr<const ViewHub::View*> ViewService::Find(
    CallThread* thread, const std::string& name,
    const ViewHub::View* own) const {
  RETURN_IF_ERROR(CheckServing(thread));
  return ServedView(*hub_, name, own);
}

void ViewService::DescribeInto(const ViewHub::View& view,
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

void ViewService::ListViews(const UnaryCall& call, const Reply& reply) {
  const absl::Status status = CheckServing(call.thread);
  if (!status.ok()) return reply(status);
  AnswerElsewhere(
      call.thread,
      [this] {
        v1::ListViewsResponse response;
        for (const ViewHub::View& view : hub_->views()) {
          DescribeInto(view, response.add_views());
        }
        return response.SerializeAsString();
      },
      reply);
}

void ViewService::DescribeView(const UnaryCall& call, const Reply& reply) {
  const absl::Status status = CheckServing(call.thread);
  if (!status.ok()) return reply(status);
  const auto request = Parse<v1::DescribeViewRequest>(call.request);
  if (!request.ok()) return reply(request.status());
  const ViewHub::View* view = hub_->Find(request->view());
  if (view == nullptr) return reply(hub_->NoSuchView(request->view()));
  AnswerElsewhere(
      call.thread,
      [this, view] {
        v1::DescribeViewResponse response;
        DescribeInto(*view, response.mutable_view());
        DescribeTyped(*view->view, response.mutable_descriptors());
        return response.SerializeAsString();
      },
      reply);
}

void ViewService::WhenReached(const ViewHub::View& view,
                              const v1::Position& min_position,
                              const UnaryCall& call,
                              std::function<void(absl::Status)> then) const {
  const absl::StatusOr<Seq> seq =
      SeqToReach(view.pipeline->store(), min_position);
  if (!seq.ok()) return then(seq.status());
  const ProcessingTime longest(call.thread->Now().value() +
                               kMaxReadWaitMs * 1000);
  call.thread->fan_out().WaitFor(
      view.pipeline, *seq, std::min(call.deadline, longest), std::move(then));
}

void ViewService::Get(const UnaryCall& call, const ViewHub::View* own,
                      Reply reply) {
  ++stats_->reads;
  auto request = Parse<v1::GetRequest>(call.request);
  if (!request.ok()) return reply(request.status());
  const absl::StatusOr<const ViewHub::View*> view =
      Find(call.thread, request->view(), own);
  if (!view.ok()) return reply(view.status());
  CallThread* const thread = call.thread;
  const v1::Position min_position = request->min_position();
  WhenReached(**view, min_position, call,
              [this, thread, reply = std::move(reply), view = *view,
               request = *std::move(request)](const absl::Status& status) {
                if (!status.ok()) return reply(status);
                if (request.keys_size() <= kMaxInlineGetKeys) {
                  return reply(DoGet(request, *view));
                }
                AnswerElsewhere(
                    thread,
                    [this, request, view] { return DoGet(request, *view); },
                    reply);
              });
}

absl::StatusOr<std::string> ViewService::DoGet(
    const v1::GetRequest& request, const ViewHub::View& view) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                   ReadKeys(*view.view, request.keys(), kMaxKeysPerGet));
  const auto rows = view.pipeline->store().HeadView();
  const WindowEnd window = WindowEndOf(*view.view);
  v1::GetResponse response;
  size_t bytes = 0;
  for (const std::string& key : keys) {
    v1::GetResponse::Entry* entry = response.add_entries();
    std::string row;
    bool corrected = false;
    ASSIGN_OR_RETURN(const bool found,
                     rows->GetRow(view.view->id, key, &row, &corrected));
    if (!found) continue;
    bytes += row.size();
    if (bytes > kMaxReplyBytes) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "reply too large: ask for fewer keys at a time, limit in bytes ",
          kMaxReplyBytes));
    }
    entry->set_finality(
        ToProto(FinalityOf(window, row, corrected, rows->watermark())));
    entry->set_row(std::move(row));
  }
  FillPosition(view.pipeline->store(), rows->seq(),
               response.mutable_position());
  FillTimestamp(rows->watermark(),
                [&] { return response.mutable_watermark(); });
  return response.SerializeAsString();
}

void ViewService::Scan(const UnaryCall& call, const ViewHub::View* own,
                       Reply reply) {
  ++stats_->reads;
  auto request = Parse<v1::ScanRequest>(call.request);
  if (!request.ok()) return reply(request.status());
  const absl::StatusOr<const ViewHub::View*> view =
      Find(call.thread, request->view(), own);
  if (!view.ok()) return reply(view.status());
  absl::StatusOr<ScanSpec> scan = MakeScan(**view, *request);
  if (!scan.ok()) return reply(scan.status());
  WhenReached(**view, request->min_position(), call,
              [this, thread = call.thread, deadline = call.deadline,
               reply = std::move(reply), view = *view,
               scan = *std::move(scan)](const absl::Status& status) {
                if (!status.ok()) return reply(status);
                AnswerElsewhere(
                    thread,
                    [this, scan, view, deadline] {
                      return DoScan(scan, *view, deadline);
                    },
                    reply);
              });
}

absl::StatusOr<std::string> ViewService::DoScan(const ScanSpec& scan,
                                                const ViewHub::View& view,
                                                ProcessingTime deadline) const {
  const ProcessingTime now = clock_->Now();
  if (now >= deadline) {
    return absl::DeadlineExceededError("no time left to scan");
  }
  MaterializedStore& store = view.pipeline->store();
  const OpenScan open = scan.first_page
                            ? OpenScan{store.HeadView(), now}
                            : scans_->Find(view.pipeline, scan.token.seq, now);
  if (open.rows == nullptr) return ScanExpired(scan.token);
  PageLimits limits;
  limits.max_rows = scan.page_rows;
  limits.max_bytes = kMaxReplyBytes;
  limits.max_read_rows = options_.max_page_read_rows;
  limits.max_read_bytes = options_.max_page_read_bytes;
  // Half of what is left is for the answer's way.
  limits.until = ProcessingTime(
      now.value() + std::min<int64_t>(kMaxPageReadMs * 1000,
                                      (deadline.value() - now.value()) / 2));
  v1::ScanResponse response;
  ASSIGN_OR_RETURN(
      const PageEnd end,
      ReadPage(
          *open.rows, scan.filter, scan.window, scan.token.last_key, limits,
          [this] { return clock_->Now(); },
          [&response](absl::string_view row, Finality finality) {
            response.add_rows(row.data(), row.size());
            if (finality == Finality::kUnspecified) return;
            response.add_finality(ToProto(finality));
          }));
  if (end.more) {
    PageToken next = scan.token;
    next.seq = open.rows->seq();
    next.last_key = end.last_key;
    response.set_next_page_token(EncodePageToken(next));
    scans_->Keep(view.pipeline, open, now);
  }
  FillPosition(store, open.rows->seq(), response.mutable_position());
  FillTimestamp(open.rows->watermark(),
                [&] { return response.mutable_watermark(); });
  return response.SerializeAsString();
}

absl::StatusOr<std::unique_ptr<Stream>> ViewService::Subscribe(
    CallThread* thread, const std::string& bytes, const ViewHub::View* own,
    WatchRegistry* registry) {
  ASSIGN_OR_RETURN(const v1::SubscribeRequest request,
                   Parse<v1::SubscribeRequest>(bytes));
  ASSIGN_OR_RETURN(const ViewHub::View* const view,
                   Find(thread, request.view(), own));
  SpecOptions options;
  options.max_keys = options_.max_keys_per_subscription;
  options.ranges = registry->ranges(view->pipeline);
  options.feeds = registry->feeds(view->pipeline);
  ASSIGN_OR_RETURN(SubscriptionSpec spec, MakeSpec(*view, request, options));
  ASSIGN_OR_RETURN(
      std::unique_ptr<Subscription> subscription,
      Subscription::Create(std::move(spec), &view->pipeline->store(),
                           request.resume_token()));
  return SubscribeStream::Create(std::move(subscription), view->pipeline,
                                 &stats_->view(view->view->name), registry);
}

}  // namespace tidegate
