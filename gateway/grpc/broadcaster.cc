#include "gateway/grpc/broadcaster.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/grpc/server.h"

namespace tidegate {
namespace {

// How much of the log one look at new commits reads.
constexpr size_t kObserveBytes = 8u << 20;

}  // namespace

void Broadcaster::Waker::Wake() {
  MutexLock lock(&mutex);
  signalled = true;
  changed.Signal();
}

Broadcaster::Broadcaster(const ViewHub* hub, GatewayStats* stats,
                         const Clock* clock, size_t max_subscribers,
                         std::function<void(bool)> on_health,
                         std::function<void(ProcessingTime)> on_tick)
    : hub_(hub),
      stats_(stats),
      clock_(clock),
      max_subscribers_(max_subscribers),
      on_health_(std::move(on_health)),
      on_tick_(std::move(on_tick)),
      indexes_(hub->pipelines().size()) {
  for (ServedPipeline* pipeline : hub_->pipelines()) {
    const auto rows = pipeline->store().HeadView();
    told_.push_back({rows->seq(), rows->watermark()});
    pipeline->AddListener([waker = waker_] { waker->Wake(); });
  }
  thread_ = std::thread([this] { Run(); });
}

Broadcaster::~Broadcaster() { Stop(); }

void Broadcaster::Stop() {
  std::vector<WaitingRead> reads;
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    reads.swap(reads_);
  }
  waker_->Wake();
  if (thread_.joinable()) thread_.join();
  for (WaitingRead& read : reads) {
    read.done(absl::UnavailableError("server is stopping"));
  }
}

bool Broadcaster::Add(std::shared_ptr<Driven> subscriber) {
  MutexLock lock(&mutex_);
  if (draining_ || subscribers_.size() >= max_subscribers_) return false;
  Driven* const key = subscriber.get();
  IndexOf(*key).Add(key, key->filter());
  subscribers_.emplace(key, std::move(subscriber));
  snapshot_.reset();
  return true;
}

KeyIndex<Driven*>& Broadcaster::IndexOf(const Driven& subscriber) {
  const std::vector<ServedPipeline*>& pipelines = hub_->pipelines();
  const auto at =
      std::find(pipelines.begin(), pipelines.end(), subscriber.pipeline());
  return indexes_[static_cast<size_t>(at - pipelines.begin())];
}

void Broadcaster::Remove(const Driven* subscriber) {
  std::shared_ptr<Driven> last;  // destroyed without the lock
  MutexLock lock(&mutex_);
  const auto at = subscribers_.find(subscriber);
  if (at == subscribers_.end()) return;
  last = std::move(at->second);
  IndexOf(*last).Remove(last.get(), last->filter());
  subscribers_.erase(at);
  snapshot_.reset();
  if (subscribers_.empty()) emptied_.SignalAll();
}

std::shared_ptr<const Broadcaster::Subscribers> Broadcaster::Snapshot() {
  MutexLock lock(&mutex_);
  if (snapshot_ == nullptr) {
    auto copy = std::make_shared<Subscribers>();
    copy->reserve(subscribers_.size());
    for (const auto& [key, subscriber] : subscribers_) {
      copy->push_back(subscriber);
    }
    snapshot_ = std::move(copy);
  }
  return snapshot_;
}

void Broadcaster::WaitFor(const ServedPipeline* pipeline, Seq seq,
                          ProcessingTime deadline,
                          std::function<void(absl::Status)> done) {
  absl::Status status;
  {
    MutexLock lock(&mutex_);
    if (pipeline->store().head() < seq) {
      if (stopped_ || draining_) {
        status = absl::UnavailableError("server is stopping");
      } else if (reads_.size() >= kMaxWaitingReads) {
        status = absl::ResourceExhaustedError(absl::StrCat(
            "too many reads wait for min_position: ", reads_.size()));
      } else {
        reads_.push_back({pipeline, seq, deadline, std::move(done)});
        waker_->Wake();  // the head may have moved just now
        return;
      }
    }
  }
  done(status);
}

bool Broadcaster::draining() const {
  MutexLock lock(&mutex_);
  return draining_;
}

int64_t Broadcaster::retry_after_ms() const {
  MutexLock lock(&mutex_);
  return retry_after_ms_;
}

bool Broadcaster::Drain(int64_t retry_after_ms, int64_t deadline_ms) {
  std::vector<WaitingRead> reads;
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    retry_after_ms_ = retry_after_ms;
    reads.swap(reads_);
  }
  for (WaitingRead& read : reads) {
    read.done(absl::UnavailableError("server is draining"));
  }
  waker_->Wake();
  const std::shared_ptr<const Subscribers> all = Snapshot();
  for (const auto& subscriber : *all) {
    subscriber->BeginDrain(retry_after_ms);
  }
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms);
  MutexLock lock(&mutex_);
  while (!subscribers_.empty()) {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    emptied_.WaitFor(&mutex_, left);
  }
  return true;
}

void Broadcaster::Run() {
  on_health_(false);
  do {
    ReportHealth();
    PumpAll();
    FinishReads();
    on_tick_(clock_->Now());
  } while (WaitForWork());
}

bool Broadcaster::WaitForWork() {
  {
    MutexLock lock(&mutex_);
    if (stopped_) return false;
  }
  MutexLock lock(&waker_->mutex);
  if (!waker_->signalled) {
    waker_->changed.WaitFor(&waker_->mutex, std::chrono::milliseconds(kTickMs));
  }
  waker_->signalled = false;
  return true;
}

void Broadcaster::PumpAll() {
  const std::vector<ServedPipeline*>& pipelines = hub_->pipelines();
  for (size_t i = 0; i < pipelines.size(); ++i) {
    while (pipelines[i]->store().head() > told_[i].head) Tell(i);
  }
  const ProcessingTime now = clock_->Now();
  if (now < next_look_) return;
  next_look_ = ProcessingTime(now.value() + kTickMs * 1000);
  PumpDue(now);
}

void Broadcaster::Tell(size_t pipeline) {
  const MaterializedStore& store = hub_->pipelines()[pipeline]->store();
  const Seq head = store.head();
  const Told before = told_[pipeline];
  const auto commits = store.ReadLog(before.head, kObserveBytes);
  if (!commits.ok() || commits->empty()) {
    // Trimmed already: nobody knows whom it concerned.
    const auto rows = store.HeadView();
    told_[pipeline] = {rows->seq(), rows->watermark()};
    stats_->pipeline(hub_->pipelines()[pipeline]->name()).commits +=
        head.value() - before.head.value();
    for (const auto& subscriber : *Snapshot()) {
      if (subscriber->pipeline() == hub_->pipelines()[pipeline]) {
        subscriber->Pump(before.head, before.watermark);
      }
    }
    return;
  }
  absl::flat_hash_set<Driven*> concerned;
  Subscribers pumped;
  {
    MutexLock lock(&mutex_);
    for (const auto& commit : *commits) {
      indexes_[pipeline].Collect(*commit, &concerned);
    }
    pumped.reserve(concerned.size());
    for (Driven* const subscriber : concerned) {
      pumped.push_back(subscribers_.at(subscriber));
    }
  }
  Count(pipeline, *commits);
  told_[pipeline] = {commits->back()->seq(), commits->back()->watermark()};
  for (const auto& subscriber : pumped) {
    subscriber->Pump(before.head, before.watermark);
  }
}

void Broadcaster::Count(
    size_t pipeline,
    const std::vector<std::shared_ptr<const Commit>>& commits) {
  PipelineStats& stats = stats_->pipeline(hub_->pipelines()[pipeline]->name());
  stats.commits += commits.size();
  for (const auto& commit : commits) {
    stats.changes += commit->changes().size();
    if (commit->first_record_ms() == 0) continue;
    stats.produced_to_committed.Observe(commit->committed_at().value() -
                                        commit->first_record_ms() * 1000);
  }
}

// Progress on schedule, and the end of streams whose pipeline has stopped.
void Broadcaster::PumpDue(ProcessingTime now) {
  const std::vector<ServedPipeline*>& pipelines = hub_->pipelines();
  std::vector<bool> failed;
  failed.reserve(pipelines.size());
  for (ServedPipeline* pipeline : pipelines) {
    failed.push_back(!pipeline->status().ok());
  }
  for (const auto& subscriber : *Snapshot()) {
    const auto at =
        std::find(pipelines.begin(), pipelines.end(), subscriber->pipeline());
    const auto i = static_cast<size_t>(at - pipelines.begin());
    if (subscriber->due() <= now || failed[i]) {
      subscriber->Pump(told_[i].head, told_[i].watermark);
    }
  }
}

void Broadcaster::FinishReads() {
  const ProcessingTime now = clock_->Now();
  std::vector<WaitingRead> ready;
  {
    MutexLock lock(&mutex_);
    const auto split = std::stable_partition(
        reads_.begin(), reads_.end(), [&](const WaitingRead& read) {
          return read.pipeline->store().head() < read.seq &&
                 now < read.deadline;
        });
    std::move(split, reads_.end(), std::back_inserter(ready));
    reads_.erase(split, reads_.end());
  }
  for (WaitingRead& read : ready) {
    const Seq head = read.pipeline->store().head();
    read.done(head >= read.seq
                  ? absl::OkStatus()
                  : absl::DeadlineExceededError(absl::StrCat(
                        "min_position not reached: waited for ",
                        read.seq.value(), ", view is at ", head.value())));
  }
}

void Broadcaster::ReportHealth() {
  bool healthy = !draining();
  for (ServedPipeline* pipeline : hub_->pipelines()) {
    healthy = healthy && pipeline->status().ok();
  }
  if (healthy == healthy_) return;
  healthy_ = healthy;
  on_health_(healthy);
}

}  // namespace tidegate
