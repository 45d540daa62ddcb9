#include "clients/cpp/view_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
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

void FillPosition(const StreamPosition& from, v1::Position* position) {
  position->set_incarnation(from.incarnation);
  for (const auto& [partition, seq] : from.seqs) {
    v1::PartitionSeq* const entry = position->add_partitions();
    entry->set_partition(partition);
    entry->set_seq(seq);
  }
}

// "NO_EVENTS" as "no_events".
std::string StateName(v1::PartitionWatermark::State state) {
  const std::string& name = v1::PartitionWatermark::State_Name(state);
  return name.empty() ? absl::StrCat(static_cast<int>(state))
                      : absl::AsciiStrToLower(name);
}

int64_t Micros(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1000;
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
    view.watermark_us = Micros(info.watermark());
  }
  view.event_time_column = info.event_time_column();
  if (info.has_watermark_delay()) {
    view.watermark_delay_ms = info.watermark_delay().seconds() * 1000 +
                              info.watermark_delay().nanos() / 1'000'000;
  }
  for (const v1::PartitionWatermark& from : info.partitions()) {
    PartitionProgress partition;
    partition.topic = from.topic();
    partition.partition = from.partition();
    if (from.has_watermark()) partition.watermark_us = Micros(from.watermark());
    partition.state = StateName(from.state());
    partition.holds_back = from.holds_back();
    view.partitions.push_back(std::move(partition));
  }
  return view;
}

class GrpcViewClient : public ViewClient {
 public:
  GrpcViewClient(const ConnectOptions& options, int64_t timeout_ms)
      : timeout_ms_(timeout_ms), channels_(options) {}

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

  absl::StatusOr<FoundRows> Read(
      const std::string& view, const std::vector<std::string>& keys,
      const std::optional<StreamPosition>& min_position) override {
    v1::GetRequest request;
    request.set_view(view);
    for (const std::string& key : keys) request.add_keys(key);
    if (min_position.has_value()) {
      FillPosition(*min_position, request.mutable_min_position());
    }
    v1::GetResponse response;
    RETURN_IF_ERROR(Call(&v1::ViewService::Stub::Get, request, &response));
    if (response.entries_size() != request.keys_size()) {
      return absl::InternalError(absl::StrCat("asked for ", keys.size(),
                                              " keys, answered ",
                                              response.entries_size()));
    }
    FoundRows found;
    found.position = ToPosition(response.position());
    if (response.has_watermark()) {
      found.watermark_us = Micros(response.watermark());
    }
    for (v1::GetResponse::Entry& entry : *response.mutable_entries()) {
      found.rows.emplace_back();
      if (!entry.has_row()) continue;
      found.rows.back() = FoundRow{std::move(*entry.mutable_row()),
                                   FinalityOfNumber(entry.finality())};
    }
    return found;
  }

  absl::StatusOr<StreamPosition> Scan(
      const std::string& view, const ScanOptions& options,
      absl::FunctionRef<bool(const FoundRow& row)> sink) override {
    v1::ScanRequest request;
    request.set_view(view);
    request.set_page_size(options.page_size);
    request.set_key_prefix(options.key_prefix);
    request.set_where(options.where);
    if (options.min_position.has_value()) {
      FillPosition(*options.min_position, request.mutable_min_position());
    }
    v1::ScanResponse response;
    do {
      response.Clear();
      RETURN_IF_ERROR(Call(&v1::ViewService::Stub::Scan, request, &response));
      const bool windows = response.finality_size() > 0;
      if (windows && response.finality_size() != response.rows_size()) {
        return absl::InternalError(absl::StrCat(response.rows_size(),
                                                " rows with the finality of ",
                                                response.finality_size()));
      }
      for (int i = 0; i < response.rows_size(); ++i) {
        FoundRow row;
        row.row = std::move(*response.mutable_rows(i));
        if (windows) row.finality = FinalityOfNumber(response.finality(i));
        if (!sink(row)) return ToPosition(response.position());
      }
      request.set_page_token(response.next_page_token());
    } while (!response.next_page_token().empty());
    return ToPosition(response.position());
  }

 private:
  template <typename Request, typename Response>
  using Method = grpc::Status (v1::ViewService::Stub::*)(grpc::ClientContext*,
                                                         const Request&,
                                                         Response*);
  template <typename Request, typename Response>
  absl::Status Call(Method<Request, Response> method, const Request& request,
                    Response* response) {
    const auto deadline = std::chrono::system_clock::now() +
                          std::chrono::milliseconds(timeout_ms_);
    absl::Status status;
    for (size_t i = 0; i < std::max<size_t>(1, channels_.servers()); ++i) {
      ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                       channels_.Get());
      grpc::ClientContext context;
      context.set_deadline(deadline);
      v1::ViewService::Stub stub(channel);
      status = ToAbslStatus((stub.*method)(&context, request, response));
      if (!absl::IsUnavailable(status)) break;
      channels_.Drop(channel);
    }
    return status;
  }

  const int64_t timeout_ms_;
  Channels channels_;
};

}  // namespace

absl::StatusOr<std::vector<std::optional<FoundRow>>> ViewClient::Get(
    const std::string& view, const std::vector<std::string>& keys) {
  ASSIGN_OR_RETURN(FoundRows found, Read(view, keys, std::nullopt));
  return std::move(found.rows);
}

std::unique_ptr<ViewClient> ViewClient::Create(const std::string& server,
                                               int64_t timeout_ms) {
  ConnectOptions options;
  options.server = server;
  return Create(options, timeout_ms);
}

std::unique_ptr<ViewClient> ViewClient::Create(const ConnectOptions& options,
                                               int64_t timeout_ms) {
  return std::make_unique<GrpcViewClient>(options, timeout_ms);
}

}  // namespace tidegate::client
