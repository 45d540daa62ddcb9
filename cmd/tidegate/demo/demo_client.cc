// The demo's client: a process of its own that subscribes over TCP, measures
// each update from the producer's stamp to its own hands, checks every promise
// of the contract, and reports lines of JSON on standard output.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "clients/cpp/mirror.h"
#include "clients/cpp/subscriber.h"
#include "clients/cpp/view_client.h"
#include "clients/history/checker.h"
#include "cmd/tidegate/client_setup.h"
#include "cmd/tidegate/commands.h"
#include "cmd/tidegate/demo/latency.h"
#include "cmd/tidegate/demo/picture.h"
#include "cmd/tidegate/signals.h"
#include "cmd/tidegate/watch_lines.h"

namespace tidegate {
namespace {

using client::Change;
using client::Event;
using std::chrono::milliseconds;

constexpr int64_t kCallTimeoutMs = 2'000;
constexpr int64_t kStartTimeoutMs = 20'000;
constexpr int64_t kSettleTimeoutMs = 10'000;
constexpr int kRetryMs = 20;
constexpr int kReportMs = 200;
constexpr int64_t kCutMs = 700;  // a subscriber loses its connection this often
constexpr uint32_t kPageRows = 1'000;
constexpr size_t kMaxProblems = 10;
// The view that the picture shows; a column with the producer's stamp.
constexpr char kShownView[] = "zones";
constexpr char kStamp[] = "sent_us";

int64_t NowMicros() { return Clock::System()->Now().value(); }

// What all subscribers add to. Thread-safe.
class Measurements {
 public:
  void AddLatency(int64_t micros) {
    MutexLock lock(&mutex_);
    latency_.Add(micros);
  }
  void AddUpdates(int64_t count) { updates_.fetch_add(count); }
  void Fill(DemoReport* report) {
    MutexLock lock(&mutex_);
    report->updates = updates_.load();
    report->p50_us = latency_.Percentile(0.5);
    report->p99_us = latency_.Percentile(0.99);
  }

 private:
  std::atomic<int64_t> updates_{0};
  Mutex mutex_;
  LatencyCounts latency_ ABSL_GUARDED_BY(mutex_);
};

// One subscription with its checker. The callbacks run on its own thread; the
// other methods on any.
class Watched {
 public:
  Watched(std::string server, std::string view, std::string name,
          Measurements* measurements, StateBook* book, Mutex* book_mutex)
      : server_(std::move(server)),
        view_(std::move(view)),
        measurements_(measurements),
        mutex_(book_mutex),
        checker_(std::move(name), book) {}
  ~Watched() { Stop(); }

  // Waits for the server to describe the view, then subscribes.
  absl::Status Start(uint64_t seed);
  void Stop();
  void Cut() { subscriber_->Disconnect(); }
  // Waits until the view stands still and this subscriber stands where it
  // does; then what both hold must be the same.
  void CompareWithScan();

  const std::string& view() const { return view_; }
  CheckerCounts counts();
  std::vector<std::string> problems();
  // The rows held, for the picture.
  void FillRows(DemoReport* report);

 private:
  void Take(const Event& event);
  absl::StatusOr<client::StreamPosition> Scan(
      std::map<std::string, std::string>* rows);
  void AddViolation(const std::string& what);

  const std::string server_;
  const std::string view_;
  Measurements* const measurements_;
  std::unique_ptr<client::ViewClient> client_;
  std::unique_ptr<client::DynamicRows> rows_;
  std::unique_ptr<WatchLines> lines_;
  std::unique_ptr<client::Subscriber> subscriber_;
  int64_t connected_us_ = 0;  // of the subscription's thread
  int line_ = 0;              // of the subscription's thread
  client::Mirror mirror_;     // of the view that the picture shows

  // Shared by all: the book of states is.
  Mutex* const mutex_;
  Checker checker_ ABSL_GUARDED_BY(*mutex_);
  std::vector<std::string> own_problems_ ABSL_GUARDED_BY(*mutex_);
  std::thread thread_;
};

absl::Status Watched::Start(uint64_t seed) {
  client_ = client::ViewClient::Create(server_, kCallTimeoutMs);
  const int64_t deadline = NowMicros() + kStartTimeoutMs * 1000;
  while (true) {
    auto rows = DescribeRows(client_.get(), view_);
    if (rows.ok()) {
      rows_ = *std::move(rows);
      break;
    }
    if (NowMicros() > deadline) return rows.status();
    std::this_thread::sleep_for(milliseconds(kRetryMs));
  }
  mirror_.SetOrder(rows_->key_order());
  WatchSubject subject;
  subject.view = view_;
  lines_ = std::make_unique<WatchLines>(std::move(subject), rows_.get());
  client::SubscriberOptions options;
  options.server = server_;
  options.view = view_;
  options.min_backoff_ms = kRetryMs;
  options.seed = seed;
  subscriber_ = client::Subscriber::Create(options);
  thread_ = std::thread([this] {
    const absl::Status status = subscriber_->Run([this](const Event& event) {
      Take(event);
      return true;
    });
    if (!status.ok()) AddViolation(std::string(status.message()));
  });
  return absl::OkStatus();
}

void Watched::Stop() {
  if (!thread_.joinable()) return;
  subscriber_->Stop();
  thread_.join();
}

void Watched::AddViolation(const std::string& what) {
  MutexLock lock(mutex_);
  own_problems_.push_back(absl::StrCat(view_, ": ", what));
}

void Watched::Take(const Event& event) {
  const int64_t now_us = NowMicros();
  if (event.kind == Event::Kind::kConnected) connected_us_ = now_us;
  if (event.kind == Event::Kind::kChanges) {
    measurements_->AddUpdates(static_cast<int64_t>(event.changes.size()));
    for (const Change& change : event.changes) {
      if (change.kind != Change::Kind::kUpsert) continue;
      const auto sent_us = rows_->RowInt(change.bytes, kStamp);
      // What was sent while this subscriber was away came late by its own
      // doing.
      if (sent_us.ok() && *sent_us >= connected_us_) {
        measurements_->AddLatency(now_us - *sent_us);
      }
    }
  }
  std::string text;
  absl::Status status = lines_->Append(event, &text);
  if (view_ == kShownView) status.Update(mirror_.Apply(event, nullptr));
  if (!status.ok()) AddViolation(std::string(status.message()));
  MutexLock lock(mutex_);
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    checker_.AddLine(line, ++line_);
  }
}

CheckerCounts Watched::counts() {
  MutexLock lock(mutex_);
  CheckerCounts counts = checker_.counts();
  counts.violations += static_cast<int64_t>(own_problems_.size());
  return counts;
}

std::vector<std::string> Watched::problems() {
  MutexLock lock(mutex_);
  std::vector<std::string> texts = checker_.violations();
  texts.insert(texts.end(), own_problems_.begin(), own_problems_.end());
  return texts;
}

void Watched::FillRows(DemoReport* report) {
  report->columns = rows_->columns();
  mirror_.Read().rows.ForEach([&](const client::RowRef& row) {
    auto cells = rows_->RowCells(row->row);
    if (!cells.ok()) return false;
    report->rows.push_back(*std::move(cells));
    return true;
  });
}

absl::StatusOr<client::StreamPosition> Watched::Scan(
    std::map<std::string, std::string>* rows) {
  rows->clear();
  const client::ScanOptions options{.page_size = kPageRows};
  return client_->Scan(view_, options, [&](const client::FoundRow& row) {
    const auto line = RowLine(*rows_, row.row, row.finality);
    if (!line.ok()) return false;
    auto entry = ParseRowLine(*line);
    if (!entry.ok()) return false;
    rows->insert(*std::move(entry));
    return true;
  });
}

void Watched::CompareWithScan() {
  const int64_t deadline = NowMicros() + kSettleTimeoutMs * 1000;
  std::string why = "the server did not answer";
  while (NowMicros() < deadline) {
    std::map<std::string, std::string> rows;
    const auto position = Scan(&rows);
    if (position.ok()) {
      MutexLock lock(mutex_);
      const auto& mine = checker_.position();
      if (mine.has_value() && mine->seqs == position->seqs) {
        checker_.CompareFinal(rows);
        return;
      }
      why = "did not reach the view's position";
    }
    std::this_thread::sleep_for(milliseconds(kRetryMs));
  }
  AddViolation(why);
}

// All subscriptions of the demo.
class DemoClient {
 public:
  explicit DemoClient(const std::string& server) {
    // Two of one view: they must see the same at every position.
    for (const auto& [view, name] :
         std::vector<std::pair<std::string, std::string>>{
             {"zones", "zones"},
             {"zones", "zones again"},
             {"driver_totals", "driver_totals"},
             {"driver_now", "driver_now"},
             {"drivers", "drivers"}}) {
      watched_.push_back(std::make_unique<Watched>(
          server, view, name, &measurements_, &book_, &mutex_));
    }
  }

  absl::Status Start() {
    uint64_t seed = 1;
    for (const auto& watched : watched_) {
      RETURN_IF_ERROR(watched->Start(seed++));
    }
    return absl::OkStatus();
  }

  // Reports until standard input ends or says so; then once more.
  void Run() {
    std::thread input([this] {
      std::string line;
      std::getline(std::cin, line);
      finish_.store(true);
    });
    std::mt19937_64 random(std::random_device{}());
    int64_t next_cut_us = NowMicros() + kCutMs * 1000;
    while (!finish_.load() && std::cout.good()) {
      std::this_thread::sleep_for(milliseconds(kReportMs));
      Report(/*final_report=*/false);
      if (NowMicros() < next_cut_us) continue;
      next_cut_us = NowMicros() + kCutMs * 1000;
      watched_[random() % watched_.size()]->Cut();
    }
    input.join();
    for (const auto& watched : watched_) watched->CompareWithScan();
    for (const auto& watched : watched_) watched->Stop();
    Report(/*final_report=*/true);
  }

 private:
  void Report(bool final_report) {
    DemoReport report;
    measurements_.Fill(&report);
    report.final_report = final_report;
    report.subscribers = static_cast<int64_t>(watched_.size());
    for (const auto& watched : watched_) {
      const CheckerCounts counts = watched->counts();
      report.violations += counts.violations;
      report.resumes += counts.resumes;
      for (std::string& text : watched->problems()) {
        if (report.problems.size() >= kMaxProblems) break;
        report.problems.push_back(std::move(text));
      }
    }
    watched_.front()->FillRows(&report);
    std::cout << FormatReport(report) << std::flush;
  }

  Measurements measurements_;
  Mutex mutex_;
  StateBook book_;
  std::vector<std::unique_ptr<Watched>> watched_;
  std::atomic<bool> finish_{false};
};

}  // namespace

int RunDemoClient(const Arguments& arguments) {
  // The terminal's Ctrl-C reaches this process too: the demo says when to end.
  BlockStopSignals();
  DemoClient client(arguments.text("server"));
  const absl::Status status = client.Start();
  if (!status.ok()) return ReportFailure(arguments, status);
  client.Run();
  return kExitOk;
}

}  // namespace tidegate
