#include "clients/cpp/view_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "clients/cpp/channel.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

// A scan that was too long so often will be so again.
constexpr int kMaxScanRestarts = 3;

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

int64_t Micros(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1000;
}

bool Same(const StreamPosition& a, const StreamPosition& b) {
  return a.incarnation == b.incarnation && a.seqs == b.seqs;
}

// DataLoss if it is no page.
absl::StatusOr<ScannedRows> ToPage(v1::ScanResponse* response) {
  const bool windows = response->finality_size() > 0;
  if (windows && response->finality_size() != response->rows_size()) {
    return absl::DataLossError(absl::StrCat(response->rows_size(),
                                            " rows with the finality of ",
                                            response->finality_size()));
  }
  ScannedRows page;
  page.position = ToPosition(response->position());
  if (response->has_watermark()) {
    page.watermark_us = Micros(response->watermark());
  }
  for (int i = 0; i < response->rows_size(); ++i) {
    FoundRow row;
    row.row = std::move(*response->mutable_rows(i));
    if (windows) row.finality = FinalityOfNumber(response->finality(i));
    page.rows.push_back(std::move(row));
  }
  return page;
}

// "NO_EVENTS" as "no_events".
std::string StateName(v1::PartitionWatermark::State state) {
  const std::string& name = v1::PartitionWatermark::State_Name(state);
  return name.empty() ? absl::StrCat(static_cast<int>(state))
                      : absl::AsciiStrToLower(name);
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
      : options_(options),
        timeout_ms_(timeout_ms),
        channels_(options),
        random_(options.seed != 0 ? options.seed : std::random_device()()) {}

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
    RETURN_IF_ERROR(CallAgain(&v1::ViewService::Stub::Get, request, &response));
    if (response.entries_size() != request.keys_size()) {
      return absl::DataLossError(absl::StrCat("asked for ", keys.size(),
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
    StreamPosition position;
    bool handed_over = false;
    RETURN_IF_ERROR(ScanPages(
        view, options,
        [&](ScannedRows page) {
          position = std::move(page.position);
          handed_over |= !page.rows.empty();
          return std::all_of(page.rows.begin(), page.rows.end(), sink);
        },
        [&] { return !handed_over; }));
    return position;
  }

  absl::StatusOr<ScannedRows> ScanAll(const std::string& view,
                                      const ScanOptions& options) override {
    ScannedRows all;
    RETURN_IF_ERROR(ScanPages(
        view, options,
        [&](ScannedRows page) {
          all.position = std::move(page.position);
          all.watermark_us = page.watermark_us;
          std::move(page.rows.begin(), page.rows.end(),
                    std::back_inserter(all.rows));
          return true;
        },
        [&] {
          all.rows.clear();
          return true;
        }));
    return all;
  }

 private:
  template <typename Request, typename Response>
  using Method = grpc::Status (v1::ViewService::Stub::*)(grpc::ClientContext*,
                                                         const Request&,
                                                         Response*);

  // Calls `take` with page after page, until it returns false. When the server
  // gives the scan up, and `forget` returns true, the pages so far are none.
  absl::Status ScanPages(const std::string& view, const ScanOptions& options,
                         absl::FunctionRef<bool(ScannedRows page)> take,
                         absl::FunctionRef<bool()> forget) {
    v1::ScanRequest request;
    request.set_view(view);
    request.set_page_size(options.page_size);
    request.set_key_prefix(options.key_prefix);
    request.set_where(options.where);
    if (options.min_position.has_value()) {
      FillPosition(*options.min_position, request.mutable_min_position());
    }
    std::optional<StreamPosition> position;
    for (int restarts = 0;;) {
      v1::ScanResponse response;
      const absl::Status called =
          CallAgain(&v1::ViewService::Stub::Scan, request, &response);
      if (absl::IsAborted(called) && restarts < kMaxScanRestarts && forget()) {
        ++restarts;
        position.reset();
        request.clear_page_token();
        std::this_thread::sleep_for(milliseconds(NextBackoffMs(1)));
        continue;
      }
      RETURN_IF_ERROR(called);
      ASSIGN_OR_RETURN(ScannedRows page, ToPage(&response));
      if (!position.has_value()) position = page.position;
      if (!Same(page.position, *position)) {
        return absl::DataLossError(
            "the pages of one scan are at two positions");
      }
      if (!take(std::move(page))) return absl::OkStatus();
      if (response.next_page_token().empty()) return absl::OkStatus();
      request.set_page_token(response.next_page_token());
    }
  }

  // Call() again and again, where that may help, within the timeout. A wait
  // that would end behind it is not begun.
  template <typename Request, typename Response>
  absl::Status CallAgain(Method<Request, Response> method,
                         const Request& request, Response* response) {
    const auto deadline = system_clock::now() + milliseconds(timeout_ms_);
    for (int failures = 1;; ++failures) {
      int64_t delay_ms = 0;
      absl::Status status =
          CallUntil(deadline, method, request, response, &delay_ms);
      const bool again =
          !IsPermanent(status) && (delay_ms > 0 || absl::IsUnavailable(status));
      const int most = options_.max_failed_attempts;
      if (!again || (most > 0 && failures > most)) return status;
      const milliseconds wait(std::max(delay_ms, NextBackoffMs(failures)));
      if (system_clock::now() + wait >= deadline) return status;
      std::this_thread::sleep_for(wait);
    }
  }

  template <typename Request, typename Response>
  absl::Status Call(Method<Request, Response> method, const Request& request,
                    Response* response) {
    int64_t delay_ms = 0;
    return CallUntil(system_clock::now() + milliseconds(timeout_ms_), method,
                     request, response, &delay_ms);
  }

  // Once, of each server until one can be reached. `delay_ms`: before that the
  // server does not want another call; 0: it has not said.
  template <typename Request, typename Response>
  absl::Status CallUntil(system_clock::time_point deadline,
                         Method<Request, Response> method,
                         const Request& request, Response* response,
                         int64_t* delay_ms) {
    absl::Status status;
    for (size_t i = 0; i < std::max<size_t>(1, channels_.servers()); ++i) {
      ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                       channels_.Get());
      grpc::ClientContext context;
      context.set_deadline(deadline);
      v1::ViewService::Stub stub(channel);
      const grpc::Status called = (stub.*method)(&context, request, response);
      status = ToAbslStatus(called);
      *delay_ms = RetryDelayMs(called);
      if (!absl::IsUnavailable(status)) break;
      channels_.Drop(channel);
    }
    return status;
  }

  int64_t NextBackoffMs(int failures) {
    MutexLock lock(&mutex_);
    return BackoffMs(options_.min_backoff_ms, options_.max_backoff_ms, failures,
                     random_());
  }

  const ConnectOptions options_;
  const int64_t timeout_ms_;
  Channels channels_;
  Mutex mutex_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
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
