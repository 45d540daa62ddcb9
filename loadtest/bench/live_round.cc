#include "loadtest/bench/live_round.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "loadtest/bench/bare_consumer.h"
#include "loadtest/bench/load.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate {
namespace {

constexpr int kSettleSeconds = 30;
constexpr int kStartSeconds = 30;

// Subscribes to all rows of a view. Thread-compatible, but for Cancel().
class Subscription {
 public:
  Subscription(const std::string& address, std::string view)
      : view_(std::move(view)),
        stub_(v1::ViewService::NewStub(grpc::CreateChannel(
            address, grpc::InsecureChannelCredentials()))) {}
  // Subscribes, as soon as the pipeline serves, and reads until the snapshot's
  // end.
  absl::Status WaitLive() {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(kStartSeconds);
    while (true) {
      context_ = std::make_unique<grpc::ClientContext>();
      v1::SubscribeRequest request;
      request.set_view(view_);
      stream_ = stub_->Subscribe(context_.get(), request);
      v1::SubscribeResponse response;
      while (stream_->Read(&response)) {
        if (response.snapshot_end()) return absl::OkStatus();
      }
      const grpc::Status status = stream_->Finish();
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
          std::chrono::steady_clock::now() > deadline) {
        return absl::UnavailableError(
            absl::StrCat("subscribing: ", status.error_message()));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  // Reads until Cancel() or the stream's end.
  void Run(const std::function<void(absl::string_view)>& on_row) {
    v1::SubscribeResponse response;
    while (stream_->Read(&response)) {
      for (const v1::Change& change : response.changes()) {
        if (change.has_upsert()) on_row(change.upsert());
      }
    }
  }
  // From any thread, after WaitLive().
  void Cancel() { context_->TryCancel(); }

 private:
  const std::string view_;
  std::unique_ptr<v1::ViewService::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<v1::SubscribeResponse>> stream_;
};

// Waits for both sides; false if they do not have everything in time.
bool Settle(const LiveRound& round, const std::atomic<int64_t>& bare_left) {
  for (int i = 0; i < kSettleSeconds * 100; ++i) {
    if (bare_left.load() <= 0 && round.done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// The bare consumer's side, until `left` is 0 or `stop`.
absl::Status Consume(const BenchOptions& options, const LiveRound& round,
                     std::atomic<int64_t>* left,
                     const std::atomic<bool>& stop) {
  const bool is_rows = !round.rows_topic.empty();
  return ConsumeBare(
      {.bootstrap_servers = options.bootstrap_servers,
       .topic = is_rows ? round.rows_topic : round.topic,
       .partitions = options.partitions,
       .batch = 1},
      [] {},
      [&](absl::string_view, absl::string_view value) {
        if (is_rows) {
          round.on_bare_row(value);
          return true;
        }
        round.bare->SetNow(VarintField(value, 1));
        return left->fetch_sub(1) > 1;
      },
      [&stop] { return stop.load(); });
}

absl::Status Produce(const BenchOptions& options, const LiveRound& round) {
  return ProduceOrders({.bootstrap_servers = options.bootstrap_servers,
                        .topic = round.topic,
                        .partitions = options.partitions,
                        .events = round.orders,
                        .keys = round.keys,
                        .rate = options.rate},
                       [&round](int64_t i, int64_t event_us) {
                         round.event_times->Set(i, event_us);
                         round.produced->SetNow(i);
                       });
}

}  // namespace

int64_t VarintField(absl::string_view message, uint32_t number) {
  WireField field;
  int64_t value = 0;
  while (!message.empty() && GetWireField(&message, &field)) {
    if (field.number == number) value = static_cast<int64_t>(field.varint);
  }
  return value;
}

absl::string_view BytesField(absl::string_view message, uint32_t number) {
  WireField field;
  absl::string_view bytes;
  while (!message.empty() && GetWireField(&message, &field)) {
    if (field.number == number) bytes = field.bytes;
  }
  return bytes;
}

absl::Status RunLiveRound(const BenchOptions& options, const LiveRound& round) {
  const bool is_rows = !round.rows_topic.empty();
  if (!is_rows) {
    RETURN_IF_ERROR(CreateBenchTopic(options.bootstrap_servers, round.topic,
                                     options.partitions));
  }
  ASSIGN_OR_RETURN(
      const std::unique_ptr<ServerUnderTest> server,
      ServerUnderTest::Start(options.bootstrap_servers, round.files));
  Subscription subscription(server->grpc_address(), round.view);
  RETURN_IF_ERROR(subscription.WaitLive());
  std::atomic<bool> stop = false;
  std::atomic<int64_t> bare_left = is_rows ? 0 : round.orders;
  absl::Status bare_status;
  std::thread bare(
      [&] { bare_status = Consume(options, round, &bare_left, stop); });
  std::thread ours([&] { subscription.Run(round.on_row); });
  const absl::Status produced = Produce(options, round);
  const bool settled = Settle(round, bare_left);
  stop = true;
  subscription.Cancel();
  bare.join();
  ours.join();
  RETURN_IF_ERROR(produced);
  RETURN_IF_ERROR(bare_status);
  if (!settled) {
    return absl::DeadlineExceededError("not everything arrived in time");
  }
  return absl::OkStatus();
}

}  // namespace tidegate
