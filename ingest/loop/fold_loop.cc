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
#include "base/timestamp.h"
#include "ingest/loop/fold_loop_impl.h"
#include "ingest/loop/start_check.h"

namespace tidegate {
namespace {

constexpr int kStartRetryMs = 500;
constexpr int64_t kStatusIntervalUs = 1'000'000;
constexpr int64_t kShowWatermarksMs = 100;

// A broker that starts up may deny topics it has not loaded yet; a topic that
// is denied this often in a row, a metadata interval apart, is gone.
constexpr int kMaxDenials = 2;

}  // namespace

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
        EventReader::Create(&source, input.used_columns, parts_.base_dir,
                            parts_.registries, [this] {
                              schemas_came_.store(true);
                              parts_.reader->Wake();
                            });
    if (!reader.ok()) {
      return Annotate(reader.status(), absl::StrCat("source=", source.name));
    }
    made.reader = *std::move(reader);
    made.keeps_headers =
        !source.dead_letter_topic.empty() ||
        std::any_of(source.included.begin(), source.included.end(),
                    [](const Included& included) {
                      return included.what == Metadata::kHeader;
                    });
    inputs_.push_back(std::move(made));
    topics.push_back(source.topic);
  }
  progress_ = std::make_unique<Progress>(std::move(topics),
                                         parts_.store->positions(), &waiting_);
  wanted_.resize(inputs_.size());
  event_time_ = std::make_unique<EventTimeState>(
      parts_.plans, parts_.pipeline, progress_.get(), parts_.spill, options_);
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
      event_time_->AddPartition(topic, point.partition);
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
  next_build_commit_ = After(now, options_.build_commit_interval_ms);
  AfterPoll();
  Publish();
  return absl::OkStatus();
}

// Once the tables are read, that is a fact to commit, and streams may be taken.
void FoldLoopImpl::AfterPoll() {
  if (tables_read_ || !TablesRead()) return;
  tables_read_ = true;
  if (!progress_->positions().tables_ready) {
    progress_->set_tables_ready();
    (parts_.store->building() ? held_ : commit_pending_) = true;
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

bool FoldLoopImpl::ReachedEnds() const {
  for (size_t t = 0; t < inputs_.size(); ++t) {
    if (!progress_->ReachedEnds(static_cast<int>(t), *parts_.reader)) {
      return false;
    }
  }
  return true;
}

void FoldLoopImpl::PublishEventTime(ProcessingTime now) {
  const ReorderBuffer& buffer = event_time_->buffer();
  const auto set = [](std::atomic<int64_t>* gauge, size_t value) {
    gauge->store(static_cast<int64_t>(value), std::memory_order_relaxed);
  };
  set(&stats_.buffered_events, buffer.size());
  set(&stats_.buffered_bytes, buffer.memory_bytes());
  set(&stats_.spilled_bytes, buffer.spilled_bytes());
  stats_.late_table_rows.store(parts_.pipeline->late_table_rows(),
                               std::memory_order_relaxed);
  set(&stats_.awaiting_schema_records, waiting_.records());
  set(&stats_.awaiting_schema_partitions, waiting_.partitions());
  if (now < next_shown_ || parts_.served == nullptr) return;
  next_shown_ = After(now, kShowWatermarksMs);
  parts_.served->SetWatermarks(event_time_->Watermarks());
}

// Between commits: status, lag, and offsets for lag tools.
void FoldLoopImpl::Publish() {
  const ProcessingTime now = parts_.clock->Now();
  PublishEventTime(now);
  stats_.lag_records.store(progress_->UpdateLag(*parts_.reader),
                           std::memory_order_relaxed);
  if (!tables_read_) {
    ShowTableProgress(now);
  } else if (!announced_ && !commit_pending_) {
    announced_ = true;
    SetStatus(absl::OkStatus());
  }
  stats_.building.store(parts_.store->building() ? 1 : 0,
                        std::memory_order_relaxed);
  if (tables_read_ && !caught_up_.load() && !commit_pending_ && !held_ &&
      ReachedEnds()) {
    caught_up_.store(true);
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
  SetStatus(absl::UnavailableError(absl::StrCat(
      "reading tables: ", absl::StrJoin(tables, ", "),
      waiting_.empty() ? "" : "; ", waiting_.empty() ? "" : waits_for_)));
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
    event_time_->AddPartition(topic, partition.partition);
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
  // What a build holds need not be read again.
  return held_ ? Commit(event_time_->watermark()) : absl::OkStatus();
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

absl::StatusOr<std::unique_ptr<FoldLoop>> FoldLoop::Create(
    Parts parts, FoldLoopOptions options) {
  auto loop = std::make_unique<FoldLoopImpl>(std::move(parts), options);
  RETURN_IF_ERROR(loop->Init());
  return std::unique_ptr<FoldLoop>(std::move(loop));
}

}  // namespace tidegate
