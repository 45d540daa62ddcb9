#include "clients/cpp/view_client.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "clients/cpp/channel.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::client {
namespace {

StreamPosition ToPosition(const v1::Position& from) {
  StreamPosition position;
  position.incarnation = from.incarnation();
  for (const v1::PartitionSeq& entry : from.partitions()) {
    position.seqs[entry.partition()] = entry.seq();
  }
  return position;
}

ViewDescription ToDescription(const v1::ViewInfo& info) {
  ViewDescription view;
  view.name = info.name();
  view.definition = info.definition();
  view.key_columns.assign(info.key_columns().begin(), info.key_columns().end());
  view.pipeline = info.pipeline();
  view.version = info.version();
  view.row_count_estimate = info.row_count_estimate();
  view.position = ToPosition(info.position());
  if (info.has_watermark()) {
    view.watermark_us = info.watermark().seconds() * 1'000'000 +
                        info.watermark().nanos() / 1000;
  }
  view.event_time_column = info.event_time_column();
  if (info.has_watermark_delay()) {
    view.watermark_delay_ms = info.watermark_delay().seconds() * 1000 +
                              info.watermark_delay().nanos() / 1'000'000;
  }
  return view;
}

class GrpcViewClient : public ViewClient {
 public:
  GrpcViewClient(const std::string& server, int64_t timeout_ms)
      : timeout_ms_(timeout_ms),
        stub_(v1::ViewService::NewStub(MakeChannel(server))) {}

  absl::StatusOr<std::vector<ViewDescription>> List() override {
    v1::ListViewsResponse response;
    RETURN_IF_ERROR(Call(&v1::ViewService::Stub::ListViews,
                         v1::ListViewsRequest(), &response));
    std::vector<ViewDescription> views;
    for (const v1::ViewInfo& info : response.views()) {
      views.push_back(ToDescription(info));
    }
    return views;
  }

  absl::StatusOr<ViewDescription> Describe(const std::string& view) override {
    v1::DescribeViewRequest request;
    request.set_view(view);
    v1::DescribeViewResponse response;
    RETURN_IF_ERROR(
        Call(&v1::ViewService::Stub::DescribeView, request, &response));
    ViewDescription description = ToDescription(response.view());
    description.descriptors = response.descriptors().SerializeAsString();
    return description;
  }

  absl::StatusOr<std::vector<std::optional<std::string>>> Get(
      const std::string& view, const std::vector<std::string>& keys) override {
    v1::GetRequest request;
    request.set_view(view);
    for (const std::string& key : keys) request.add_keys(key);
    v1::GetResponse response;
    RETURN_IF_ERROR(Call(&v1::ViewService::Stub::Get, request, &response));
    if (response.entries_size() != request.keys_size()) {
      return absl::InternalError(absl::StrCat("asked for ", keys.size(),
                                              " keys, answered ",
                                              response.entries_size()));
    }
    std::vector<std::optional<std::string>> rows;
    for (const v1::GetResponse::Entry& entry : response.entries()) {
      if (entry.has_row()) {
        rows.emplace_back(entry.row());
      } else {
        rows.emplace_back(std::nullopt);
      }
    }
    return rows;
  }

  absl::StatusOr<StreamPosition> Scan(
      const std::string& view, uint32_t page_size,
      absl::FunctionRef<bool(const std::string& row)> sink) override {
    v1::ScanRequest request;
    request.set_view(view);
    request.set_page_size(page_size);
    v1::ScanResponse response;
    do {
      response.Clear();
      RETURN_IF_ERROR(Call(&v1::ViewService::Stub::Scan, request, &response));
      for (const std::string& row : response.rows()) {
        if (!sink(row)) return ToPosition(response.position());
      }
      request.set_page_token(response.next_page_token());
    } while (!response.next_page_token().empty());
    return ToPosition(response.position());
  }

 private:
  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::ViewService::Stub::*method)(
                        grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(timeout_ms_));
    return ToAbslStatus((stub_.get()->*method)(&context, request, response));
  }

  const int64_t timeout_ms_;
  const std::unique_ptr<v1::ViewService::Stub> stub_;
};

}  // namespace

std::unique_ptr<ViewClient> ViewClient::Create(const std::string& server,
                                               int64_t timeout_ms) {
  return std::make_unique<GrpcViewClient>(server, timeout_ms);
}

}  // namespace tidegate::client
