#include "ingest/loop/fold_loop.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "ingest/loop/diverter.h"
#include "ingest/loop/event_reader.h"
#include "ingest/loop/progress.h"
#include "ingest/loop/start_check.h"

namespace tidegate {
namespace {

// How soon a checkpoint that ended is noticed.
constexpr int kOverlayWaitMs = 5;
constexpr int kStartRetryMs = 500;
constexpr int64_t kStatusIntervalUs = 1'000'000;

// A broker that starts up may deny topics it has not loaded yet; a topic that
// is denied this often in a row, a metadata interval apart, is gone.
constexpr int kMaxDenials = 2;

struct Input {
  const SourcePlan* source = nullptr;
  std::unique_ptr<EventReader> reader;
  int denials = 0;  // looks for partitions in a row that found no topic
};

class FoldLoopImpl final : public FoldLoop {
 public:
  FoldLoopImpl(Parts parts, FoldLoopOptions options)
      : parts_(std::move(parts)),
        options_(options),
        diverter_(parts_.dead_letters, parts_.clock, &stats_) {
    options_.max_poll_records =
        std::clamp(options_.max_poll_records, 1, kMaxPollRecords);
  }

  absl::Status Init();
  absl::Status Start() override;
  absl::StatusOr<bool> Turn() override;
  absl::Status Run() override;
  void Stop() override;
  bool CaughtUp() const override { return caught_up_.load(); }
  const FoldLoopStats& stats() const override { return stats_; }
  std::vector<PartitionLag> Lag() const override { return progress_->Lag(); }
  std::vector<DivertedCount> DivertedEvents() const override { return {}; }

 private:
  bool stopping() const { return stop_.load(std::memory_order_relaxed); }
  // Returns early when Stop() is called.
  void WaitAtMost(int timeout_ms);
  std::string Rebuild() const;
  absl::Status Deleted(const absl::Status& why) const;
  void SetStatus(const absl::Status& status);

  absl::Status RunUntilStopped();
  absl::Status Fail(absl::Status status);
  absl::Status LookForPartitions(ProcessingTime now);
  absl::Status AddPartitions(int topic, bool* answered);
  absl::Status Take(const RawRecord& record);
  absl::Status Commit();
  void AfterPoll();
  bool TablesRead() const;
  void ShowTableProgress(ProcessingTime now);
  void Publish();

  const Parts parts_;
  FoldLoopOptions options_;
  std::vector<Input> inputs_;  // by topic number
  std::vector<bool> wanted_;   // by topic number
  std::unique_ptr<Progress> progress_;
  FoldLoopStats stats_;
  Diverter diverter_;
  Event event_;
  std::vector<Diverted> diverted_;
  absl::Status fatal_;
  bool tables_read_ = false;
  bool announced_ = false;       // the status is OK
  bool commit_pending_ = false;  // records were taken since the last commit
  // Dead letters could not be acknowledged within this batch.
  bool commit_deferred_ = false;
  int64_t first_record_ms_ = 0;  // of the records since the last commit
  ProcessingTime next_metadata_;
  ProcessingTime next_report_;
  ProcessingTime next_status_;

  std::atomic<bool> caught_up_{false};
  std::atomic<bool> stop_{false};
  Mutex stop_mutex_;
  CondVar stop_signal_;
};

ProcessingTime After(ProcessingTime now, int64_t ms) {
  return ProcessingTime(now.value() + ms * 1000);
}

absl::Status FoldLoopImpl::Init() {
  std::vector<std::string> topics;
  std::map<std::string, std::string> readers;  // topic -> source
  for (const Pipeline::Input& input : parts_.pipeline->inputs()) {
    const SourcePlan& source = parts_.plans->sources[input.source];
    const auto [other, added] = readers.emplace(source.topic, source.name);
    if (!added) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", other->second, "\" and \"", source.name, "\" read topic \"",
          source.topic,
          "\" in one pipeline: give a view of one of them a pipeline of its "
          "own with `WITH (pipeline = '…')`"));
    }
    Input made;
    made.source = &source;
    auto reader =
        EventReader::Create(&source, input.used_columns, parts_.base_dir);
    if (!reader.ok()) {
      return Annotate(reader.status(), absl::StrCat("source=", source.name));
    }
    made.reader = *std::move(reader);
    inputs_.push_back(std::move(made));
    topics.push_back(source.topic);
  }
  progress_ =
      std::make_unique<Progress>(std::move(topics), parts_.store->positions());
  wanted_.resize(inputs_.size());
  return absl::OkStatus();
}

void FoldLoopImpl::WaitAtMost(int timeout_ms) {
  MutexLock lock(&stop_mutex_);
  if (stopping() || timeout_ms <= 0) return;
  stop_signal_.WaitFor(&stop_mutex_, std::chrono::milliseconds(timeout_ms));
}

void FoldLoopImpl::Stop() {
  {
    MutexLock lock(&stop_mutex_);
    stop_.store(true);
    stop_signal_.SignalAll();
  }
  parts_.reader->Wake();
}

// "--rebuild VIEW" with a view of this pipeline that clients know.
std::string FoldLoopImpl::Rebuild() const {
  absl::string_view name = "VIEW";
  if (parts_.served != nullptr) {
    for (const CatalogView& view : parts_.served->catalog().views) {
      if (!view.is_private) name = view.name;
      if (!view.is_table) break;
    }
  }
  return absl::StrCat("--rebuild ", name);
}

absl::Status FoldLoopImpl::Deleted(const absl::Status& why) const {
  return absl::FailedPreconditionError(
      absl::StrCat(why.message(),
                   ": the topic was deleted while it was read: once it is "
                   "there again, run `serve ",
                   Rebuild(), "`"));
}

void FoldLoopImpl::SetStatus(const absl::Status& status) {
  if (parts_.served != nullptr) parts_.served->SetStatus(status);
}

absl::Status FoldLoopImpl::Start() {
  const Positions stored = parts_.store->positions();
  StartCheckOptions check;
  check.rebuild = Rebuild();
  check.accept_truncated_history = options_.accept_truncated_history;
  std::vector<std::vector<StartPoint>> points;
  for (size_t t = 0; t < inputs_.size(); ++t) {
    ASSIGN_OR_RETURN(std::vector<StartPoint> found,
                     FindStartPoints(parts_.reader, static_cast<int>(t),
                                     inputs_[t].source->topic, stored, check));
    points.push_back(std::move(found));
  }
  for (size_t t = 0; t < inputs_.size(); ++t) {
    const int topic = static_cast<int>(t);
    for (const StartPoint& point : points[t]) {
      progress_->Add(topic, point.partition, point.offset, point.end);
      absl::Status started =
          parts_.reader->Start(topic, point.partition, point.offset);
      if (!started.ok()) {
        return absl::InternalError(absl::StrCat(
            "cannot start reading: topic=", inputs_[t].source->topic,
            " partition=", point.partition.value(), ": ", started.message()));
      }
    }
    wanted_[t] = inputs_[t].source->is_table;
  }
  const ProcessingTime now = parts_.clock->Now();
  next_metadata_ = After(now, options_.metadata_interval_ms);
  next_report_ = After(now, options_.report_offsets_interval_ms);
  AfterPoll();
  Publish();
  return absl::OkStatus();
}

absl::StatusOr<bool> FoldLoopImpl::Turn() {
  RETURN_IF_ERROR(fatal_);
  if (stopping()) return false;
  if (commit_pending_) {
    RETURN_IF_ERROR(fatal_ = Commit());
    if (commit_pending_) return false;
    Publish();
  }
  if (parts_.store->OverlayFull()) {
    WaitAtMost(std::min(options_.poll_timeout_ms, kOverlayWaitMs));
    return false;
  }
  const ProcessingTime now = parts_.clock->Now();
  RETURN_IF_ERROR(fatal_ = LookForPartitions(now));
  commit_deferred_ = false;
  const absl::StatusOr<int> taken = parts_.reader->Poll(
      [this](int topic, PartitionId) { return wanted_[topic]; },
      options_.max_poll_records, options_.poll_timeout_ms,
      [this](const RawRecord& record) {
        if (fatal_.ok()) fatal_ = Take(record);
      });
  RETURN_IF_ERROR(fatal_);
  if (absl::IsOutOfRange(taken.status())) {
    return fatal_ = Truncated(taken.status().message(), Rebuild());
  }
  if (absl::IsNotFound(taken.status())) {
    return fatal_ = Deleted(taken.status());
  }
  RETURN_IF_ERROR(fatal_ = taken.status());
  progress_->Settle();
  AfterPoll();
  if (commit_pending_) RETURN_IF_ERROR(fatal_ = Commit());
  if (!commit_pending_) Publish();
  return *taken > 0;
}

absl::Status FoldLoopImpl::Take(const RawRecord& record) {
  if (!progress_->Take(record)) return absl::OkStatus();
  commit_pending_ = true;
  AddTo(&stats_.records, 1);
  AddTo(&stats_.bytes,
        static_cast<int64_t>(record.key.size() + record.value.size()));
  if (first_record_ms_ == 0 || record.timestamp_ms < first_record_ms_) {
    first_record_ms_ = record.timestamp_ms;
  }
  const absl::Status read = inputs_[record.topic].reader->Read(record, &event_);
  const SourcePlan& source = *inputs_[record.topic].source;
  if (!read.ok()) return diverter_.Undecodable(source, record, read);
  diverted_.clear();
  RETURN_IF_ERROR_CTX(parts_.pipeline->Fold(record.topic, event_, &diverted_),
                      absl::StrCat("topic=", source.topic,
                                   " partition=", record.partition.value(),
                                   " offset=", record.offset.value()));
  if (!diverted_.empty()) {
    RETURN_IF_ERROR(diverter_.FailedExpressions(source, record, diverted_));
  }
  if (!commit_deferred_ && parts_.pipeline->CommitDue()) {
    progress_->Settle();
    RETURN_IF_ERROR(Commit());
    commit_deferred_ = commit_pending_;
  }
  return absl::OkStatus();
}

// Commits what was taken; leaves commit_pending_ set if that has to wait.
absl::Status FoldLoopImpl::Commit() {
  ASSIGN_OR_RETURN(const bool acknowledged,
                   diverter_.Acknowledged(options_.poll_timeout_ms));
  if (!acknowledged) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const tidegate::Commit> commit,
      parts_.pipeline->CommitPending(parts_.clock->Now(), first_record_ms_,
                                     progress_->positions()));
  commit_pending_ = false;
  first_record_ms_ = 0;
  stats_.output_errors.store(parts_.pipeline->output_errors(),
                             std::memory_order_relaxed);
  if (commit == nullptr) return absl::OkStatus();
  AddTo(&stats_.commits, 1);
  AddTo(&stats_.changes, static_cast<int64_t>(commit->changes().size()));
  if (parts_.served != nullptr) parts_.served->NotifyCommitted();
  return absl::OkStatus();
}

// Once the tables are read, that is a fact to commit, and streams may be taken.
void FoldLoopImpl::AfterPoll() {
  if (tables_read_ || !TablesRead()) return;
  tables_read_ = true;
  if (!progress_->positions().tables_ready) {
    progress_->set_tables_ready();
    commit_pending_ = true;
  }
  std::fill(wanted_.begin(), wanted_.end(), true);
}

bool FoldLoopImpl::TablesRead() const {
  for (size_t t = 0; t < inputs_.size(); ++t) {
    if (inputs_[t].source->is_table &&
        !progress_->ReachedEnds(static_cast<int>(t), *parts_.reader)) {
      return false;
    }
  }
  return true;
}

// Between commits: status, lag, and offsets for lag tools.
void FoldLoopImpl::Publish() {
  const ProcessingTime now = parts_.clock->Now();
  stats_.lag_records.store(progress_->UpdateLag(*parts_.reader),
                           std::memory_order_relaxed);
  if (!tables_read_) {
    ShowTableProgress(now);
  } else if (!announced_ && !commit_pending_) {
    announced_ = true;
    SetStatus(absl::OkStatus());
  }
  if (tables_read_ && !caught_up_.load() && !commit_pending_) {
    bool all = true;
    for (size_t t = 0; all && t < inputs_.size(); ++t) {
      all = progress_->ReachedEnds(static_cast<int>(t), *parts_.reader);
    }
    if (all) caught_up_.store(true);
  }
  if (now >= next_report_) {
    next_report_ = After(now, options_.report_offsets_interval_ms);
    parts_.reader->ReportOffsets(parts_.store->positions());
  }
}

void FoldLoopImpl::ShowTableProgress(ProcessingTime now) {
  if (now < next_status_) return;
  next_status_ = ProcessingTime(now.value() + kStatusIntervalUs);
  std::vector<std::string> tables;
  for (size_t t = 0; t < inputs_.size(); ++t) {
    if (!inputs_[t].source->is_table) continue;
    int64_t taken = 0;
    int64_t total = 0;
    progress_->Count(static_cast<int>(t), &taken, &total);
    tables.push_back(absl::StrCat(inputs_[t].source->name, " ", taken, " of ",
                                  total, " records"));
  }
  SetStatus(absl::UnavailableError(
      absl::StrCat("reading tables: ", absl::StrJoin(tables, ", "))));
}

absl::Status FoldLoopImpl::LookForPartitions(ProcessingTime now) {
  if (now < next_metadata_) return absl::OkStatus();
  next_metadata_ = After(now, options_.metadata_interval_ms);
  for (size_t t = 0; t < inputs_.size(); ++t) {
    bool answered = false;
    RETURN_IF_ERROR(AddPartitions(static_cast<int>(t), &answered));
    // A broker that is away would make every topic wait.
    if (!answered) break;
  }
  return absl::OkStatus();
}

absl::Status FoldLoopImpl::AddPartitions(int topic, bool* answered) {
  const std::string& name = inputs_[topic].source->topic;
  const auto bounds = OrderedBounds(parts_.reader, topic, name);
  *answered = !absl::IsUnavailable(bounds.status());
  int& denials = inputs_[topic].denials;
  denials = absl::IsNotFound(bounds.status()) ? denials + 1 : 0;
  if (denials == kMaxDenials) return Deleted(bounds.status());
  if (!bounds.ok()) {
    Log(LogLevel::kWarning, "cannot look for new partitions",
        {{"topic", name}, {"error", bounds.status().message()}});
    return absl::OkStatus();
  }
  const int known = progress_->partition_count(topic);
  for (const PartitionBounds& partition : *bounds) {
    if (partition.partition.value() < known) {
      progress_->SawEnd(topic, partition.partition, partition.high);
      continue;
    }
    Log(LogLevel::kInfo, "new partition",
        {{"topic", name},
         {"partition", partition.partition.value()},
         {"offset", partition.low.value()}});
    // Nothing waits for the end of a partition that came later.
    progress_->Add(topic, partition.partition, partition.low, partition.low);
    progress_->SawEnd(topic, partition.partition, partition.high);
    RETURN_IF_ERROR_CTX(
        parts_.reader->Start(topic, partition.partition, partition.low),
        absl::StrCat("topic=", name,
                     " partition=", partition.partition.value()));
  }
  if (static_cast<int>(bounds->size()) < known) {
    return Recreated(name, PartitionId(known - 1),
                     absl::StrCat("it has ", bounds->size(),
                                  " partitions, fewer than before"),
                     Rebuild());
  }
  return absl::OkStatus();
}

absl::Status FoldLoopImpl::RunUntilStopped() {
  bool started = false;
  while (!stopping()) {
    if (!started) {
      absl::Status status = Start();
      started = status.ok();
      if (started) continue;
      if (!absl::IsUnavailable(status)) return status;
      SetStatus(absl::UnavailableError(
          absl::StrCat("waiting for the broker: ", status.message())));
      WaitAtMost(kStartRetryMs);
      continue;
    }
    RETURN_IF_ERROR(Turn().status());
    // Poll may have returned at once: dead letters wait for the broker.
    if (commit_pending_) WaitAtMost(options_.poll_timeout_ms);
  }
  return absl::OkStatus();
}

absl::Status FoldLoopImpl::Run() {
  absl::Status status = RunUntilStopped();
  if (!status.ok()) {
    Log(LogLevel::kError, "pipeline stopped", {{"error", status.message()}});
    SetStatus(absl::FailedPreconditionError(status.message()));
  }
  parts_.reader->ReportOffsets(parts_.store->positions());
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FoldLoop>> FoldLoop::Create(
    Parts parts, FoldLoopOptions options) {
  auto loop = std::make_unique<FoldLoopImpl>(std::move(parts), options);
  RETURN_IF_ERROR(loop->Init());
  return std::unique_ptr<FoldLoop>(std::move(loop));
}

}  // namespace tidegate
