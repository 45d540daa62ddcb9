#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "loadtest/bench/bare_consumer.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/load.h"
#include "loadtest/bench/server_under_test.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate {
namespace {

constexpr int kSettleSeconds = 30;
constexpr int kStartSeconds = 30;

// When each order was produced and when each side had it, in microseconds.
class Stamps {
 public:
  explicit Stamps(size_t orders)
      : produced_(orders), bare_(orders), ours_(orders) {}
  void Produced(int64_t i) { Put(&produced_, i); }
  void Bare(int64_t i) { Put(&bare_, i); }
  void Ours(int64_t i) { Put(&ours_, i); }
  bool HasOurs(int64_t i) const { return ours_[Index(i)].load() != 0; }
  int64_t size() const { return static_cast<int64_t>(ours_.size()); }
  // Milliseconds from produce() to the bare consumer, or to our subscriber.
  std::vector<double> BareLatencies(int64_t first) const {
    return Latencies(bare_, first);
  }
  std::vector<double> OurLatencies(int64_t first) const {
    return Latencies(ours_, first);
  }

 private:
  using Times = std::vector<std::atomic<int64_t>>;
  static size_t Index(int64_t i) { return static_cast<size_t>(i); }
  static void Put(Times* times, int64_t i) {
    (*times)[Index(i)].store(Clock::System()->Now().value());
  }
  std::vector<double> Latencies(const Times& times, int64_t first) const {
    std::vector<double> result;
    for (size_t i = Index(first); i < times.size(); ++i) {
      if (times[i].load() == 0) continue;
      result.push_back(
          static_cast<double>(times[i].load() - produced_[i].load()) / 1000);
    }
    return result;
  }
  Times produced_;
  Times bare_;
  Times ours_;
};

// A varint field of a message; 0 if absent.
int64_t VarintField(absl::string_view message, uint32_t number) {
  WireField field;
  int64_t value = 0;
  while (!message.empty() && GetWireField(&message, &field)) {
    if (field.number == number) value = static_cast<int64_t>(field.varint);
  }
  return value;
}

// Subscribes to all rows and stamps every order that a row newly counts.
// driver_totals: driver_id = 1, orders = 2.
class Subscriber {
 public:
  Subscriber(const std::string& address, int64_t keys, Stamps* stamps)
      : keys_(keys),
        stamps_(stamps),
        seen_(static_cast<size_t>(keys)),
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
      request.set_view("driver_totals");
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
  // Reads until every order was seen or Cancel().
  void Run() {
    v1::SubscribeResponse response;
    int64_t left = stamps_->size();
    while (left > 0 && stream_->Read(&response)) {
      for (const v1::Change& change : response.changes()) {
        const int64_t driver = VarintField(change.upsert(), 1);
        const int64_t count = VarintField(change.upsert(), 2);
        int64_t& seen = seen_[static_cast<size_t>(driver)];
        for (; seen < count; ++seen, --left) {
          stamps_->Ours(driver + seen * keys_);
        }
      }
    }
    context_->TryCancel();
  }
  void Cancel() { context_->TryCancel(); }

 private:
  const int64_t keys_;
  Stamps* const stamps_;
  std::vector<int64_t> seen_;
  std::unique_ptr<v1::ViewService::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<v1::SubscribeResponse>> stream_;
};

struct Round {
  std::vector<double> bare_ms;
  std::vector<double> ours_ms;
};

// Waits until both sides have every order; false if they do not in time.
bool Settle(const Stamps& stamps, const std::atomic<int64_t>& bare_left) {
  for (int i = 0; i < kSettleSeconds * 100; ++i) {
    if (bare_left.load() <= 0 && stamps.HasOurs(stamps.size() - 1)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

absl::StatusOr<Round> RunRound(const BenchOptions& options, int round) {
  const std::string topic = absl::StrCat("bench-live-", getpid(), "-", round);
  RETURN_IF_ERROR(
      CreateBenchTopic(options.bootstrap_servers, topic, options.partitions));
  const int64_t orders =
      int64_t{options.rate} * (options.seconds + options.warm_up_seconds);
  Stamps stamps(static_cast<size_t>(orders));
  ASSIGN_OR_RETURN(const std::unique_ptr<ServerUnderTest> server,
                   ServerUnderTest::Start(options.bootstrap_servers, topic));
  Subscriber subscriber(server->grpc_address(), options.live_keys, &stamps);
  RETURN_IF_ERROR(subscriber.WaitLive());
  std::atomic<bool> stop = false;
  std::atomic<int64_t> bare_left = orders;
  absl::Status bare_status;
  std::thread bare([&] {
    bare_status = ConsumeBare(
        {.bootstrap_servers = options.bootstrap_servers,
         .topic = topic,
         .partitions = options.partitions,
         .batch = 1},
        [] {},
        [&](absl::string_view, absl::string_view value) {
          stamps.Bare(VarintField(value, 1));
          return bare_left.fetch_sub(1) > 1;
        },
        [&stop] { return stop.load(); });
  });
  std::thread ours([&subscriber] { subscriber.Run(); });
  const absl::Status produced =
      ProduceOrders({.bootstrap_servers = options.bootstrap_servers,
                     .topic = topic,
                     .partitions = options.partitions,
                     .events = orders,
                     .keys = options.live_keys,
                     .rate = options.rate},
                    [&stamps](int64_t i) { stamps.Produced(i); });
  const bool settled = Settle(stamps, bare_left);
  stop = true;
  if (!settled) subscriber.Cancel();
  bare.join();
  ours.join();
  RETURN_IF_ERROR(produced);
  RETURN_IF_ERROR(bare_status);
  if (!settled) {
    return absl::DeadlineExceededError("not every event arrived in time");
  }
  const int64_t first = int64_t{options.rate} * options.warm_up_seconds;
  return Round{stamps.BareLatencies(first), stamps.OurLatencies(first)};
}

}  // namespace

absl::StatusOr<std::vector<BenchEntry>> BenchLive(const BenchOptions& options) {
  BenchEntry p50{.name = "live.p50",
                 .unit = "ms",
                 .against = "bare produce-consume",
                 .is_ratio = false};
  BenchEntry p99{.name = "live.p99",
                 .unit = "ms",
                 .against = "bare produce-consume",
                 .is_ratio = false};
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(Round result, RunRound(options, round));
    p50.against_samples.push_back(Percentile(&result.bare_ms, 50));
    p99.against_samples.push_back(Percentile(&result.bare_ms, 99));
    p50.ours_samples.push_back(Percentile(&result.ours_ms, 50));
    p99.ours_samples.push_back(Percentile(&result.ours_ms, 99));
    std::fprintf(stderr,
                 "round %d: bare p50 %.2f ms p99 %.2f ms, ours p50 %.2f ms "
                 "p99 %.2f ms, %zu events\n",
                 round + 1, p50.against_samples.back(),
                 p99.against_samples.back(), p50.ours_samples.back(),
                 p99.ours_samples.back(), result.ours_ms.size());
  }
  return std::vector<BenchEntry>{p50, p99};
}

}  // namespace tidegate
