#include "views/store/materialized_store.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "views/store/build_phase.h"
#include "views/store/build_rows.h"
#include "views/store/log_pins.h"
#include "views/store/recovery.h"
#include "views/store/store_version.h"

namespace tidegate {
namespace {

// Lock order: append_mutex_, then mutex_. Writers make the next version under
// append_mutex_ alone and swap it in under mutex_, which nobody holds for long.
class LogStructuredStore : public MaterializedStore {
 public:
  LogStructuredStore(Store* store, const MaterializedStoreOptions& options,
                     StorePolicy policy, StoreState state,
                     std::vector<Incarnation> incarnations, bool building)
      : store_(store),
        options_(options),
        policy_(policy),
        incarnations_(std::move(incarnations)),
        build_(building),
        version_(std::make_shared<StoreVersion>(std::move(state.version))),
        positions_(std::move(state.positions)),
        row_counts_(std::move(state.row_counts)),
        log_marks_(std::move(state.log_marks)),
        log_trimmed_(state.log_trimmed),
        tail_(std::move(state.tail)),
        head_(version_->head.value()),
        resumable_from_(log_trimmed_.value()),
        since_(state.uncheckpointed_since) {
    if (building && version_->head == Seq(0)) build_keys_.emplace();
  }

  absl::StatusOr<std::shared_ptr<const Commit>> Append(
      CommitBuilder* builder, ProcessingTime now, int64_t first_record_ms,
      const Positions& positions) override;
  absl::StatusOr<bool> Lookup(ViewId view, absl::string_view key, bool* has_row,
                              absl::string_view* row,
                              absl::string_view* state) override;
  bool OverlayFull() const override {
    return Current()->overlay_bytes >= options_.max_overlay_bytes;
  }
  absl::Status AppendBuild(BuildRows* rows,
                           const Positions& positions) override;
  absl::Status FinishBuild() override;
  bool build_end_wanted() const override { return build_.end_wanted(); }
  bool building() const override { return build_.building(); }
  bool EndBuild(int timeout_ms) override { return build_.End(timeout_ms); }

  bool CheckpointDue(ProcessingTime now) const override;
  absl::Status Checkpoint(ProcessingTime now) override;

  Seq head() const override {
    return Seq(head_.load(std::memory_order_acquire));
  }
  Seq checkpoint_seq() const override { return Current()->base_seq; }
  Positions positions() const override {
    MutexLock lock(&mutex_);
    return positions_;
  }
  std::shared_ptr<const ReadView> HeadView() const override {
    return MakeReadView(Current());
  }
  std::shared_ptr<const ReadView> BaseView(
      ProcessingTime now, std::unique_ptr<LogPin>* pin) override;
  absl::StatusOr<std::vector<std::shared_ptr<const Commit>>> ReadLog(
      Seq after, size_t max_bytes) const override;
  Seq resumable_from() const override {
    return Seq(resumable_from_.load(std::memory_order_acquire));
  }
  std::vector<Incarnation> incarnations() const override {
    return incarnations_;
  }
  uint64_t RowCountEstimate(ViewId view) const override {
    MutexLock lock(&mutex_);
    const auto found = row_counts_.find(view);
    return found == row_counts_.end() ? 0 : found->second;
  }
  size_t overlay_bytes() const override { return Current()->overlay_bytes; }
  size_t log_bytes() const override {
    MutexLock lock(&mutex_);
    return log_marks_.bytes();
  }

 private:
  using Version = std::shared_ptr<const StoreVersion>;
  Version Current() const {
    MutexLock lock(&mutex_);
    return version_;
  }
  // With version_ and log_trimmed_ as they are now.
  void ShowPositions() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    head_.store(version_->head.value(), std::memory_order_release);
    resumable_from_.store(log_trimmed_.value(), std::memory_order_release);
  }
  Version Freeze(ProcessingTime now, CheckpointRecord* record);
  absl::Status WriteCheckpoint(const StoreVersion& frozen,
                               const CheckpointRecord& record);
  void Thaw(const CheckpointRecord* published);
  absl::StatusOr<std::vector<std::shared_ptr<const Commit>>> ReadStoredLog(
      Seq after, Seq head, size_t max_bytes) const;

  Store* const store_;
  const MaterializedStoreOptions options_;
  const StorePolicy policy_;
  const std::vector<Incarnation> incarnations_;
  BuildPhase build_;
  const std::shared_ptr<LogPins> pins_ = std::make_shared<LogPins>();
  std::string lookup_scratch_;  // fold thread
  std::string lookup_row_;      // fold thread
  // Fold thread. In a build that began with nothing: the keys of all rows, so
  // that a new one is not looked for.
  std::optional<KeyFilter> build_keys_;

  Mutex append_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  // Runs with commits up to here belong to a checkpoint that is being written.
  Seq frozen_ ABSL_GUARDED_BY(append_mutex_);
  bool freezing_ ABSL_GUARDED_BY(append_mutex_) = false;
  // The since_ of the commits after frozen_.
  std::optional<ProcessingTime> since_frozen_ ABSL_GUARDED_BY(append_mutex_);

  mutable Mutex mutex_;
  Version version_ ABSL_GUARDED_BY(mutex_);
  Positions positions_ ABSL_GUARDED_BY(mutex_);
  RowCounts row_counts_ ABSL_GUARDED_BY(mutex_);
  LogMarks log_marks_ ABSL_GUARDED_BY(mutex_);
  Seq log_trimmed_ ABSL_GUARDED_BY(mutex_);
  CommitTail tail_ ABSL_GUARDED_BY(mutex_);
  // What is in version_ and log_trimmed_, for those who only ask: subscribers
  // do several times a message. Never ahead of them.
  std::atomic<uint64_t> head_;
  std::atomic<uint64_t> resumable_from_;
  // When the first commit after the checkpoint was made; none if there is none.
  std::optional<ProcessingTime> since_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::shared_ptr<const Commit>> LogStructuredStore::Append(
    CommitBuilder* builder, ProcessingTime now, int64_t first_record_ms,
    const Positions& positions) {
  MutexLock append_lock(&append_mutex_);
  const Seq seq = head().next();
  ASSIGN_OR_RETURN(
      std::shared_ptr<const Commit> commit,
      Commit::Parse(builder->Finish(seq, now, first_record_ms, positions)));
  Failpoint("commit.before_append");
  RETURN_IF_ERROR_CTX(store_->AppendLog(seq, commit->record()),
                      absl::StrCat("commit seq=", seq.value()));
  Failpoint("commit.after_append");
  auto next = std::make_shared<StoreVersion>(*Current());
  next->head = seq;
  next->watermark = commit->watermark();
  PushRun(OverlayRun::FromCommit(*commit), frozen_, &next->runs);
  next->overlay_bytes = OverlayBytes(next->runs);
  if (freezing_ && !since_frozen_.has_value()) since_frozen_ = now;
  const RowCountChanges counted = CountRows(*commit);
  Version replaced = std::move(next);  // freed after the lock
  MutexLock lock(&mutex_);
  version_.swap(replaced);
  positions_ = positions;
  AddRows(counted, &row_counts_);
  log_marks_.Add(seq, now, commit->record().size());
  tail_.Add(commit);
  if (!since_.has_value()) since_ = now;
  ShowPositions();
  return commit;
}

absl::Status LogStructuredStore::AppendBuild(BuildRows* rows,
                                             const Positions& positions) {
  // A checkpoint of the overlay waits, and finds nothing to do.
  MutexLock append_lock(&append_mutex_);
  CheckpointRecord record;
  record.seq = rows->seq();
  record.incarnation = incarnations_.back().id;
  record.positions = positions;
  record.log_trimmed = record.seq;
  {
    MutexLock lock(&mutex_);
    if (policy_.build_forgets_positions) record.positions = positions_;
    if (policy_.build_keeps_log_start) record.log_trimmed = log_trimmed_;
    record.row_counts = row_counts_;
  }
  AddRows(rows->counted(), &record.row_counts);
  Failpoint("build.before_checkpoint");
  RETURN_IF_ERROR_CTX(store_->Checkpoint(rows, EncodeCheckpointRecord(record)),
                      absl::StrCat("build seq=", record.seq.value()));
  Failpoint("build.after_checkpoint");
  if (build_keys_.has_value()) rows->AddKeysTo(&*build_keys_);
  auto next = std::make_shared<StoreVersion>();
  next->base = store_->Snapshot();
  next->base_seq = next->head = record.seq;
  next->base_watermark = next->watermark = positions.watermark;
  Version replaced = std::move(next);  // freed after the lock
  MutexLock lock(&mutex_);
  version_.swap(replaced);
  positions_ = positions;
  row_counts_ = std::move(record.row_counts);
  log_trimmed_ = record.log_trimmed;
  ShowPositions();
  return absl::OkStatus();
}

absl::Status LogStructuredStore::FinishBuild() {
  if (!building()) return absl::OkStatus();
  RETURN_IF_ERROR_CTX(NoteBuilt(store_), "the end of a build");
  build_keys_.reset();
  build_.Finish();
  return absl::OkStatus();
}

absl::StatusOr<bool> LogStructuredStore::Lookup(ViewId view,
                                                absl::string_view key,
                                                bool* has_row,
                                                absl::string_view* row,
                                                absl::string_view* state) {
  if (build_keys_.has_value()) {
    EncodeRowKey(view, key, &lookup_scratch_);
    if (!build_keys_->MayContain(RowKeyHash(lookup_scratch_))) return false;
  }
  // Copied out, so that the version is not held until the next call.
  const Version version = Current();
  StoredEntry entry;
  ASSIGN_OR_RETURN(const bool found,
                   FindStored(*version, view, key, &lookup_scratch_, &entry));
  if (!found) return false;
  lookup_row_.assign(entry.row.data(), entry.row.size());
  lookup_row_.append(entry.state.data(), entry.state.size());
  *has_row = entry.has_row;
  *row = absl::string_view(lookup_row_).substr(0, entry.row.size());
  *state = absl::string_view(lookup_row_).substr(entry.row.size());
  return true;
}

bool LogStructuredStore::CheckpointDue(ProcessingTime now) const {
  MutexLock lock(&mutex_);
  if (!since_.has_value()) return false;
  return version_->overlay_bytes >= options_.checkpoint_bytes ||
         now.value() - since_->value() >= options_.checkpoint_age_ms * 1000;
}

LogStructuredStore::Version LogStructuredStore::Freeze(
    ProcessingTime now, CheckpointRecord* record) {
  MutexLock append_lock(&append_mutex_);
  MutexLock lock(&mutex_);
  frozen_ = version_->head;
  freezing_ = true;
  since_frozen_.reset();
  log_marks_.Seal();
  record->seq = version_->head;
  record->incarnation = incarnations_.back().id;
  record->positions = positions_;
  record->row_counts = row_counts_;
  // Until this checkpoint is visible, readers may pin the one before it.
  const Seq limit =
      pins_->Lowest(version_->base_seq, now, options_.max_pin_age_ms);
  record->log_trimmed = std::max(
      log_trimmed_, log_marks_.TrimTarget(now, options_.log_retention_ms,
                                          options_.log_retention_bytes, limit));
  record->log_marks = log_marks_;
  record->log_marks.Trim(record->log_trimmed);
  return version_;
}

absl::Status LogStructuredStore::WriteCheckpoint(
    const StoreVersion& frozen, const CheckpointRecord& record) {
  if (policy_.sync_log_before_checkpoint) RETURN_IF_ERROR(store_->SyncLog());
  Failpoint("checkpoint.after_sync");
  const std::unique_ptr<RowSource> rows = MakeRowSource(&frozen.runs);
  RETURN_IF_ERROR(
      store_->Checkpoint(rows.get(), EncodeCheckpointRecord(record)));
  Failpoint("checkpoint.after_ingest");
  return absl::OkStatus();
}

// Ends a checkpoint; `published` is null if it failed.
void LogStructuredStore::Thaw(const CheckpointRecord* published) {
  std::shared_ptr<const StoreSnapshot> base;
  if (published != nullptr) base = store_->Snapshot();
  Version replaced;
  MutexLock append_lock(&append_mutex_);
  freezing_ = false;
  if (published == nullptr) {
    frozen_ = Seq(0);
    return;
  }
  auto next = std::make_shared<StoreVersion>(*Current());
  next->base = std::move(base);
  next->base_seq = published->seq;
  next->base_watermark = published->positions.watermark;
  // Runs are never merged across frozen_, so each lies on one side of it.
  std::erase_if(next->runs, [&](const std::shared_ptr<const OverlayRun>& run) {
    return run->last_seq() <= published->seq;
  });
  next->overlay_bytes = OverlayBytes(next->runs);
  replaced = std::move(next);
  MutexLock lock(&mutex_);
  version_.swap(replaced);
  since_ = since_frozen_;
  log_trimmed_ = published->log_trimmed;
  log_marks_.Trim(log_trimmed_);
  ShowPositions();
}

absl::Status LogStructuredStore::Checkpoint(ProcessingTime now) {
  CheckpointRecord record;
  const Version frozen = Freeze(now, &record);
  if (frozen->head == frozen->base_seq) {
    Thaw(nullptr);
    return absl::OkStatus();
  }
  const absl::Status written = WriteCheckpoint(*frozen, record);
  Thaw(written.ok() ? &record : nullptr);
  const std::string context =
      absl::StrCat("checkpoint seq=", record.seq.value());
  if (!written.ok()) return Annotate(written, context);
  if (record.log_trimmed > Seq(0)) {
    RETURN_IF_ERROR_CTX(store_->TrimLog(record.log_trimmed), context);
  }
  return absl::OkStatus();
}

std::shared_ptr<const ReadView> LogStructuredStore::BaseView(
    ProcessingTime now, std::unique_ptr<LogPin>* pin) {
  auto base = std::make_shared<StoreVersion>();
  {
    // Under the lock, so that no checkpoint moves the base before it is pinned.
    MutexLock lock(&mutex_);
    base->base = version_->base;
    base->base_seq = base->head = version_->base_seq;
    base->base_watermark = base->watermark = version_->base_watermark;
    *pin = pins_->Pin(base->base_seq, now);
  }
  return MakeReadView(std::move(base));
}

absl::StatusOr<std::vector<std::shared_ptr<const Commit>>>
LogStructuredStore::ReadLog(Seq after, size_t max_bytes) const {
  std::vector<std::shared_ptr<const Commit>> commits;
  Seq head;
  {
    MutexLock lock(&mutex_);
    head = version_->head;
    if (after >= head) return commits;
    if (after < log_trimmed_) {
      return absl::OutOfRangeError(
          absl::StrCat("history trimmed: after seq=", after.value(),
                       " kept after seq=", log_trimmed_.value()));
    }
    if (tail_.Read(after, max_bytes, &commits)) return commits;
  }
  return ReadStoredLog(after, head, max_bytes);
}

absl::StatusOr<std::vector<std::shared_ptr<const Commit>>>
LogStructuredStore::ReadStoredLog(Seq after, Seq head, size_t max_bytes) const {
  std::vector<std::shared_ptr<const Commit>> commits;
  absl::Status failed;
  size_t bytes = 0;
  Seq expected = after.next();
  const auto take = [&](Seq seq, absl::string_view record) {
    if (seq != expected) return false;
    auto commit = Commit::Parse(std::string(record));
    if (!commit.ok()) {
      failed = Annotate(commit.status(), absl::StrCat("seq=", seq.value()));
      return false;
    }
    bytes += record.size();
    expected = seq.next();
    commits.push_back(*std::move(commit));
    // What is beyond the head has been appended, but nobody may see it yet.
    return seq < head && bytes < max_bytes;
  };
  RETURN_IF_ERROR(store_->ReadLog(after, take));
  RETURN_IF_ERROR(failed);
  if (commits.empty()) {
    // Trimmed since we looked, or else lost.
    const Seq kept = resumable_from();
    if (after < kept) {
      return absl::OutOfRangeError(
          absl::StrCat("history trimmed: after seq=", after.value(),
                       " kept after seq=", kept.value()));
    }
    return absl::DataLossError(
        absl::StrCat("change log has a gap: expected seq=", expected.value()));
  }
  return commits;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MaterializedStore>> MaterializedStore::Open(
    Store* store, MaterializedStoreOptions options, StorePolicy policy,
    std::string incarnation_id, ProcessingTime /*now*/) {
  ASSIGN_OR_RETURN(StoreState state, Recover(store, options));
  ASSIGN_OR_RETURN(
      std::vector<Incarnation> incarnations,
      AppendIncarnation(store, std::move(incarnation_id), state.version.head));
  ASSIGN_OR_RETURN(const bool building, options.build
                                            ? MayBuild(store, state)
                                            : absl::StatusOr<bool>(false));
  return std::make_unique<LogStructuredStore>(
      store, options, policy, std::move(state), std::move(incarnations),
      building);
}

absl::Status MaterializedStore::AppendBuild(BuildRows* /*rows*/,
                                            const Positions& /*positions*/) {
  return absl::InternalError("not being built");
}

}  // namespace tidegate
