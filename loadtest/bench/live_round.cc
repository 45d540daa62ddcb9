#include "loadtest/bench/live_round.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "loadtest/bench/bare_consumer.h"
#include "loadtest/bench/load.h"
#include "loadtest/swarm/setup.h"
#include "loadtest/swarm/swarm.h"

namespace tidegate {
namespace {

constexpr int kSettleSeconds = 30;
constexpr int kStartSeconds = 30;

// The subscribers: a swarm on a thread of its own. Thread-compatible.
class Subscribers {
 public:
  ~Subscribers() {
    if (thread_.joinable()) (void)Stop();
  }
  // Returns when every one is past its snapshot.
  absl::Status Start(const std::string& address, const LiveRound& round);
  // DataLoss if a stream was not continuous.
  absl::Status Stop();

 private:
  void Run();

  std::unique_ptr<swarm::Swarm> swarm_;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
  Mutex mutex_;
  CondVar changed_;
  bool live_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

absl::Status Subscribers::Start(const std::string& address,
                                const LiveRound& round) {
  swarm::SwarmOptions options;
  options.server = address;
  options.view = round.view;
  options.latency.kind = swarm::LatencySource::Kind::kRows;
  options.on_row = round.on_row;
  options.http2.eager_updates = true;  // as gRPC's clients
  options.live_timeout_us = kStartSeconds * int64_t{1'000'000};
  if (round.key_subscribers > 0) {
    if (round.keys % round.key_subscribers != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          round.keys, " keys cannot be shared out equally among subscribers: ",
          round.key_subscribers));
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                     swarm::ReadKeyTexts(absl::StrCat("0..", round.keys - 1)));
    ASSIGN_OR_RETURN(
        swarm::ViewSetup setup,
        swarm::DescribeView(address, round.view, texts, "sent_at"));
    options.keys = std::move(setup.keys);
    options.connections = static_cast<size_t>(round.key_subscribers);
    options.keys_per_stream = options.keys.size() / options.connections;
  }
  ASSIGN_OR_RETURN(swarm_, swarm::Swarm::Create(std::move(options)));
  thread_ = std::thread([this] { Run(); });
  MutexLock lock(&mutex_);
  while (!live_ && !ended_) changed_.Wait(&mutex_);
  return status_;
}

void Subscribers::Run() {
  const absl::StatusOr<swarm::Tally> tally = swarm_->Run(stop_, [this](double) {
    MutexLock lock(&mutex_);
    live_ = true;
    changed_.Signal();
  });
  MutexLock lock(&mutex_);
  ended_ = true;
  changed_.Signal();
  status_ = tally.status();
  if (tally.ok() && tally->violations > 0) {
    status_ = absl::DataLossError(tally->violation_examples.front());
  }
}

absl::Status Subscribers::Stop() {
  stop_ = true;
  thread_.join();
  MutexLock lock(&mutex_);
  return status_;
}

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
  Subscribers subscribers;
  RETURN_IF_ERROR(subscribers.Start(server->grpc_address(), round));
  std::atomic<bool> stop = false;
  std::atomic<int64_t> bare_left = is_rows ? 0 : round.orders;
  absl::Status bare_status;
  std::thread bare(
      [&] { bare_status = Consume(options, round, &bare_left, stop); });
  const absl::Status produced = Produce(options, round);
  const bool settled = Settle(round, bare_left);
  stop = true;
  bare.join();
  RETURN_IF_ERROR(subscribers.Stop());
  RETURN_IF_ERROR(produced);
  RETURN_IF_ERROR(bare_status);
  if (!settled) {
    return absl::DeadlineExceededError("not everything arrived in time");
  }
  return absl::OkStatus();
}

}  // namespace tidegate
