// demo: a broker, a generator, the server and a measuring client, seen live.
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/child_process.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "cmd/tidegate/commands.h"
#include "cmd/tidegate/demo/generator.h"
#include "cmd/tidegate/demo/picture.h"
#include "cmd/tidegate/demo/rides_sql_text.h"
#include "cmd/tidegate/server_app.h"
#include "cmd/tidegate/signals.h"
#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/kafka_producer.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kPartitions = 4;
constexpr int kFlushMs = 10'000;
constexpr int kTickMs = 2;  // the generator's
constexpr int64_t kDriverEveryMs = 500;
constexpr int kFrameMs = 250;   // on a terminal
constexpr int kLineMs = 1'000;  // without one
constexpr int kReadyMs = 30'000;
constexpr int kFinishMs = 30'000;
// A waiting fetch of the embedded broker is not woken by new records.
constexpr char kFetchWaitMs[] = "3";

int64_t NowMicros() { return Clock::System()->Now().value(); }

// A directory that goes away with this.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::error_code error;
    std::string name =
        (std::filesystem::temp_directory_path(error) / "tidegate-XXXXXX")
            .string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Produces at a steady rate on a thread of its own.
class Traffic {
 public:
  Traffic(KafkaProducer* producer, int64_t rate)
      : producer_(producer), rate_(rate), generator_(std::random_device()()) {}
  ~Traffic() { Stop(); }

  absl::Status ProduceDrivers() {
    for (const DemoRecord& record : generator_.Drivers()) Produce(record);
    return producer_->Flush(kFlushMs);
  }
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  void Stop() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
  }
  // Ride events that were handed to the producer.
  int64_t events() const { return events_.load(); }

 private:
  bool Produce(const DemoRecord& record) {
    KafkaMessage message;
    message.topic = record.topic;
    message.key = record.key;
    if (record.value.has_value()) message.value = *record.value;
    while (!stop_.load()) {
      if (producer_->Produce(message).ok()) return true;
      producer_->Poll(kTickMs);
    }
    return false;
  }

  void Run() {
    const auto started = steady_clock::now();
    int64_t next_driver_us = NowMicros();
    while (!stop_.load()) {
      const auto elapsed =
          std::chrono::duration_cast<std::chrono::microseconds>(
              steady_clock::now() - started);
      const int64_t due = elapsed.count() * rate_ / 1'000'000;
      while (events_.load() < due &&
             Produce(generator_.NextRide(NowMicros()))) {
        events_.fetch_add(1);
      }
      if (NowMicros() >= next_driver_us) {
        next_driver_us += kDriverEveryMs * 1000;
        Produce(generator_.NextDriver());
      }
      producer_->Poll(0);
      std::this_thread::sleep_for(milliseconds(kTickMs));
    }
  }

  KafkaProducer* const producer_;
  const int64_t rate_;
  RideGenerator generator_;  // the constructing thread's, then thread_'s
  std::atomic<int64_t> events_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// The client process and its newest report.
class Client {
 public:
  absl::Status Start(const std::string& server) {
    ASSIGN_OR_RETURN(
        child_,
        ChildProcess::Start({OwnBinary(), "demo-client", "--server", server},
                            ChildOptions{.pipe_input = true}));
    thread_ = std::thread([this] {
      while (true) {
        const absl::StatusOr<std::string> line = child_->ReadLine();
        if (!line.ok()) break;
        const auto report = ParseReport(*line);
        if (!report.ok()) continue;
        MutexLock lock(&mutex_);
        report_ = *report;
      }
      MutexLock lock(&mutex_);
      ended_ = true;
      changed_.SignalAll();
    });
    return absl::OkStatus();
  }
  ~Client() {
    if (thread_.joinable()) Finish();
  }
  DemoReport report() {
    MutexLock lock(&mutex_);
    return report_;
  }
  bool ended() {
    MutexLock lock(&mutex_);
    return ended_;
  }
  // Has it compare what it holds with the server, and waits for its end.
  DemoReport Finish() {
    child_->CloseInput();
    const auto deadline = steady_clock::now() + milliseconds(kFinishMs);
    {
      MutexLock lock(&mutex_);
      while (!ended_ && steady_clock::now() < deadline) {
        changed_.WaitFor(&mutex_, milliseconds(100));
      }
      if (!ended_) child_->Signal(SIGKILL);
    }
    if (thread_.joinable()) thread_.join();
    (void)child_->Wait();
    return report();
  }

 private:
  std::unique_ptr<ChildProcess> child_;
  Mutex mutex_;
  CondVar changed_;
  DemoReport report_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

size_t TerminalWidth() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) {
    return 80;
  }
  return size.ws_col;
}

// `path` as one would type it here.
std::string Typed(const std::string& path) {
  std::error_code error;
  const std::string near = std::filesystem::proximate(path, error).string();
  return error || near.substr(0, 2) == ".." ? path : near;
}

// Shows the state until `seconds` have passed (0: no limit) or a signal came.
void ShowUntilTheEnd(int64_t seconds, const ServerApp& app,
                     const Traffic& traffic, Client* client) {
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  const std::vector<std::string> hints =
      DemoHints(Typed(OwnBinary()), app.grpc_address());
  if (!terminal) {
    for (const std::string& hint : hints) std::cout << "try: " << hint << "\n";
    std::cout << std::flush;
  }
  const auto started = steady_clock::now();
  const int step_ms = terminal ? kFrameMs : kLineMs;
  DemoState state;
  double shown_at = 0;
  for (int64_t step = 1;; ++step) {
    auto until = started + milliseconds(step * step_ms);
    const bool last =
        seconds > 0 && until >= started + std::chrono::seconds(seconds);
    if (last) until = started + std::chrono::seconds(seconds);
    const auto wait =
        std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
    const int signal =
        WaitForStopSignal(static_cast<int>(std::max<int64_t>(0, wait.count())));
    const int64_t events = traffic.events();
    const DemoReport report = client->report();
    state.seconds =
        std::chrono::duration<double>(steady_clock::now() - started).count();
    const double since = std::max(0.001, state.seconds - shown_at);
    shown_at = state.seconds;
    state.events_per_second = static_cast<int64_t>(
        static_cast<double>(events - state.events) / since);
    state.updates_per_second = static_cast<int64_t>(
        static_cast<double>(report.updates - state.client.updates) / since);
    state.events = events;
    state.server_subscribers = app.counts().subscribers;
    state.before = std::exchange(state.client, report);
    std::cout << (terminal ? DemoFrame(state, hints, TerminalWidth())
                           : DemoLine(state))
              << std::flush;
    if (signal != 0 || last || client->ended()) return;
  }
}

absl::StatusOr<std::unique_ptr<ServerApp>> StartServer(
    const std::string& bootstrap_servers, const std::string& data_dir) {
  ServerAppOptions options;
  CompileResult compiled = CompileViews(kRidesSql);
  if (!compiled.ok()) {
    return absl::InternalError(
        FormatDiagnostics("rides.sql", kRidesSql, compiled.diagnostics));
  }
  options.plans = std::move(compiled.plans);
  options.base_dir = ".";
  options.data_dir = data_dir;
  options.kafka = {{"bootstrap.servers", bootstrap_servers},
                   {"fetch.wait.max.ms", kFetchWaitMs}};
  options.drain_time_ms = 1'000;
  return ServerApp::Start(std::move(options));
}

// Until views are served and the client holds them.
absl::Status WaitUntilReady(const ServerApp& app, Client* client) {
  const auto deadline = steady_clock::now() + milliseconds(kReadyMs);
  while (!app.AllUp() || client->report().subscribers == 0) {
    if (client->ended()) {
      return absl::InternalError("the client ended at its start");
    }
    if (steady_clock::now() > deadline) {
      return absl::DeadlineExceededError("the views do not come up");
    }
    if (WaitForStopSignal(kTickMs) != 0) {
      return absl::CancelledError("ended before the views were up");
    }
  }
  return absl::OkStatus();
}

// The whole demo; its last line and exit code.
absl::StatusOr<int> Play(int64_t seconds, int64_t rate) {
  const TemporaryDirectory directory;
  if (directory.path().empty()) {
    return absl::InternalError("cannot make a temporary directory");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<EmbeddedBroker> broker,
                   EmbeddedBroker::Start());
  RETURN_IF_ERROR(broker->CreateTopic("rides", kPartitions));
  RETURN_IF_ERROR(broker->CreateTopic("drivers", 1));
  const std::string bootstrap = broker->bootstrap_servers();
  ASSIGN_OR_RETURN(const std::unique_ptr<KafkaProducer> producer,
                   KafkaProducer::Create({{"bootstrap.servers", bootstrap}}));
  Traffic traffic(producer.get(), rate);
  RETURN_IF_ERROR(traffic.ProduceDrivers());
  ASSIGN_OR_RETURN(const std::unique_ptr<ServerApp> app,
                   StartServer(bootstrap, directory.path()));
  Client client;
  RETURN_IF_ERROR(client.Start(app->grpc_address()));
  RETURN_IF_ERROR(WaitUntilReady(*app, &client));
  traffic.Start();
  ShowUntilTheEnd(seconds, *app, traffic, &client);
  traffic.Stop();
  const absl::Status flushed = producer->Flush(kFlushMs);
  const DemoReport report = client.Finish();
  app->Stop();
  for (const std::string& problem : report.problems) PrintError(problem);
  if (!report.final_report) PrintError("the client ended before its time");
  if (!flushed.ok()) PrintError(flushed.message());
  const int64_t events = traffic.events() - producer->failed();
  std::cout << DemoLastLine(events, report) << std::endl;
  return DemoExitCode(events, report);
}

}  // namespace

int RunDemo(const Arguments& arguments) {
  SetLogLevel(LogLevel::kWarning);
  BlockStopSignals();
  const auto exit_code =
      Play(arguments.number("seconds"), arguments.number("rate"));
  if (exit_code.ok()) return *exit_code;
  PrintError(exit_code.status().message());
  return kExitNegative;
}

}  // namespace tidegate
