// One turn of the fold loop: take, decode, fold, release, commit.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/timestamp.h"
#include "ingest/loop/fold_loop_impl.h"
#include "ingest/loop/replay_target.h"
#include "ingest/loop/start_check.h"

namespace tidegate {
namespace {

// How soon a checkpoint that ended is noticed.
constexpr int kOverlayWaitMs = 5;

// A commit that comes early for the reorder buffer's sake has at least so many.
constexpr int64_t kMinHeldRecords = 1 << 14;

}  // namespace

absl::StatusOr<bool> FoldLoopImpl::Turn() {
  RETURN_IF_ERROR(fatal_);
  if (stopping()) return false;
  if (commit_pending_) {
    RETURN_IF_ERROR(fatal_ = Commit(event_time_->watermark()));
    if (commit_pending_) return false;
    Publish();
  }
  if (parts_.store->OverlayFull()) {
    WaitAtMost(std::min(options_.poll_timeout_ms, kOverlayWaitMs));
    return false;
  }
  RETURN_IF_ERROR(fatal_ = LookForPartitions(parts_.clock->Now()));
  commit_deferred_ = false;
  first_taken_at_.reset();
  const absl::StatusOr<int> retried = RetryWaiting();
  RETURN_IF_ERROR(fatal_ = retried.status());
  // What is held does not wait for more to come, nor does what was waiting.
  const bool wait = (!held_ || parts_.store->building()) && *retried == 0;
  // Together no more than a poll's, since that is what dead letters have room
  // for.
  const absl::StatusOr<int> taken = parts_.reader->Poll(
      [this](int topic, PartitionId partition) {
        return wanted_[topic] && event_time_->MayRead(topic, partition) &&
               !waiting_.Waits(topic, partition);
      },
      options_.max_poll_records - *retried, wait ? options_.poll_timeout_ms : 0,
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
  poll_was_full_ = *taken + *retried >= options_.max_poll_records;
  progress_->Settle();
  waiting_.Clear();
  AfterPoll();
  RETURN_IF_ERROR(fatal_ = CommitAll());
  if (!commit_pending_) Publish();
  return *taken + *retried > 0;
}

absl::StatusOr<int> FoldLoopImpl::RetryWaiting() {
  if (waiting_.empty()) return 0;
  // First: what comes meanwhile is tried the next time.
  if (!schemas_came_.exchange(false) && !waiting_.unasked()) return 0;
  return waiting_.Retry(
      options_.max_poll_records,
      [this](const RawRecord& record) { return TryTake(record); });
}

absl::Status FoldLoopImpl::Take(const RawRecord& record) {
  if (!waiting_.Waits(record.topic, record.partition)) {
    ASSIGN_OR_RETURN(const bool taken, TryTake(record));
    if (taken || options_.policy.pass_waiting) return absl::OkStatus();
  }
  waiting_.Add(record);
  return absl::OkStatus();
}

absl::StatusOr<bool> FoldLoopImpl::TryTake(const RawRecord& record) {
  const Progress::Taken judged = progress_->Judge(record);
  if (judged == Progress::Taken::kAgain) return true;
  const bool replayed =
      judged == Progress::Taken::kReplayed && !options_.policy.fold_again;
  // A verdict of an earlier life stands.
  Reading reading = Reading::kNotOurs;
  if (!replayed || !event_time_->WasDiverted(record.topic, record.partition,
                                             record.offset)) {
    ASSIGN_OR_RETURN(reading, ReadEvent(record));
    if (reading == Reading::kWaits) return false;
  }
  progress_->Take(record);
  event_time_->Saw(record.topic, record.partition);
  if (replayed) {
    RETURN_IF_ERROR(TakeReplayed(record, reading));
    return true;
  }
  commit_pending_ = true;
  ++held_records_;
  AddTo(&stats_.records, 1);
  AddTo(&stats_.bytes,
        static_cast<int64_t>(record.key.size() + record.value.size()));
  if (first_record_ms_ == 0 || record.timestamp_ms < first_record_ms_) {
    first_record_ms_ = record.timestamp_ms;
  }
  RETURN_IF_ERROR(TakeNew(record, reading));
  if (!commit_deferred_ && parts_.pipeline->CommitDue()) {
    progress_->Settle();
    // The watermark moves at the end of a poll: within it, what is known of
    // the partitions is old.
    RETURN_IF_ERROR(Commit(options_.policy.advance_in_poll
                               ? event_time_->Target(parts_.clock->Now())
                               : event_time_->watermark()));
    commit_deferred_ = commit_pending_;
  }
  return true;
}

// Reads for whom a record that was sent back is, into replay_; false if for no
// view of this pipeline.
absl::StatusOr<bool> FoldLoopImpl::ReadTarget(const RawRecord& record) {
  auto target = ParseReplayTarget(record.replay_views);
  if (!target.ok()) return Annotate(target.status(), kReplayViewsHeader);
  replay_ = *std::move(target);
  const auto& views = parts_.pipeline->inputs()[record.topic].views;
  return std::any_of(views.begin(), views.end(), [this](const auto& view) {
    return replay_.count(view) > 0;
  });
}

// Decodes into event_.
absl::StatusOr<FoldLoopImpl::Reading> FoldLoopImpl::ReadEvent(
    const RawRecord& record) {
  // Without views, a record that was sent back is for all of them.
  const bool targeted = record.is_replay && !record.replay_views.empty();
  if (targeted) {
    const absl::StatusOr<bool> is_ours = ReadTarget(record);
    why_bad_ = is_ours.status();
    if (!is_ours.ok()) return Reading::kBad;
    if (!*is_ours) return Reading::kNotOurs;
  }
  why_bad_ = inputs_[record.topic].reader->Read(record, &event_);
  switch (why_bad_.code()) {
    case absl::StatusCode::kOk:
      if (targeted) event_.replay = &replay_;
      return Reading::kRead;
    case absl::StatusCode::kUnavailable:
      waits_for_ = std::string(why_bad_.message());
      return Reading::kWaits;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
      return Reading::kBad;
    default:
      return why_bad_;
  }
}

absl::Status FoldLoopImpl::DivertBad(const RawRecord& record) {
  if (inputs_[record.topic].reader->asks_registry()) {
    event_time_->NoteBad(record.topic, record.partition, record.offset);
  }
  return diverter_.ForAll(*inputs_[record.topic].source, record,
                          parts_.pipeline->inputs()[record.topic].views,
                          ReasonOfBad(), why_bad_, event_time_->watermark());
}

DivertReason FoldLoopImpl::ReasonOfBad() const {
  return absl::IsFailedPrecondition(why_bad_)
             ? DivertReason::kIncompatibleSchema
             : DivertReason::kUndecodable;
}

// It was read in an earlier life, and since then the registry has lost its
// schema, or has another by that id: the views that had it folded have it,
// those that it waited for never will.
absl::Status FoldLoopImpl::DivertVanished(const RawRecord& record) {
  event_time_->NoteBad(record.topic, record.partition, record.offset);
  diverted_.clear();
  for (const std::string& name :
       parts_.pipeline->inputs()[record.topic].views) {
    const auto& views = parts_.plans->views;
    const auto plan = std::find_if(
        views.begin(), views.end(),
        [&name](const ViewPlan& view) { return view.name == name; });
    if (plan == views.end() || !plan->ordered) continue;
    Diverted one;
    one.view = name;
    one.reason = ReasonOfBad();
    one.detail = std::string(why_bad_.message());
    diverted_.push_back(std::move(one));
  }
  commit_pending_ = true;
  return diverter_.ForSome(*inputs_[record.topic].source, record, diverted_,
                           event_time_->watermark());
}

// In the reorder buffer, if anything waits for it.
absl::Status FoldLoopImpl::Keep(const RawRecord& record) {
  const Input& input = inputs_[record.topic];
  RawRecord kept = record;
  if (!input.keeps_headers) kept.headers = HeaderView();
  ASSIGN_OR_RETURN(const bool waits, event_time_->Keep(kept, event_));
  if (waits) input.reader->KeepUntil(event_.order.time);
  return absl::OkStatus();
}

absl::Status FoldLoopImpl::TakeNew(const RawRecord& record, Reading reading) {
  if (reading == Reading::kNotOurs) return absl::OkStatus();
  if (reading == Reading::kBad) return DivertBad(record);
  const SourcePlan& source = *inputs_[record.topic].source;
  if (!first_taken_at_.has_value()) first_taken_at_ = parts_.clock->Now();
  const ProcessingTime now = *first_taken_at_;
  ASSIGN_OR_RETURN(const bool future,
                   event_time_->DivertsAsFuture(event_, record.topic, now));
  if (future) {
    saw_future_ = true;
    return diverter_.ForAll(source, record,
                            parts_.pipeline->inputs()[record.topic].views,
                            DivertReason::kFuture,
                            absl::OutOfRangeError(absl::StrCat(
                                "too far ahead of the clock: time=",
                                FormatTimestamp(event_.order.time.value()),
                                " clock=", FormatTimestamp(now.value()))),
                            event_time_->watermark());
  }
  diverted_.clear();
  RETURN_IF_ERROR_CTX(parts_.pipeline->Fold(record.topic, event_, &diverted_),
                      absl::StrCat("topic=", source.topic,
                                   " partition=", record.partition.value(),
                                   " offset=", record.offset.value()));
  if (!diverted_.empty()) {
    RETURN_IF_ERROR(
        diverter_.ForSome(source, record, diverted_, event_time_->watermark()));
  }
  event_time_->Observe(event_, record.topic);
  return Keep(record);
}

// It was folded on arrival, or diverted, in an earlier life; only the buffer
// has forgotten it.
absl::Status FoldLoopImpl::TakeReplayed(const RawRecord& record,
                                        Reading reading) {
  if (reading == Reading::kRead) return Keep(record);
  return reading == Reading::kBad &&
                 inputs_[record.topic].reader->asks_registry()
             ? DivertVanished(record)
             : absl::OkStatus();
}

// The watermark has come to a record that was kept.
absl::Status FoldLoopImpl::Release(const RawRecord& record) {
  const SourcePlan& source = *inputs_[record.topic].source;
  // Its decoder is still here: KeepUntil().
  ASSIGN_OR_RETURN(const Reading reading, ReadEvent(record));
  if (reading != Reading::kRead) {
    return absl::InternalError("a kept record cannot be read");
  }
  diverted_.clear();
  RETURN_IF_ERROR_CTX(
      parts_.pipeline->FoldOrdered(record.topic, event_, &diverted_),
      absl::StrCat("topic=", source.topic,
                   " partition=", record.partition.value(),
                   " offset=", record.offset.value()));
  if (diverted_.empty()) return absl::OkStatus();
  return diverter_.ForSome(source, record, diverted_, event_time_->watermark());
}

// A commit that only moves the watermark is worth it if it changes a row, or
// now and then, for those who watch it.
bool FoldLoopImpl::WatermarkDue(EventTime target, ProcessingTime now) const {
  return target > event_time_->watermark() &&
         (event_time_->ChangesRows(target) || now >= next_watermark_);
}

absl::Status FoldLoopImpl::CommitAll() {
  const ProcessingTime now = parts_.clock->Now();
  event_time_->Look(*parts_.reader, wanted_, now);
  const EventTime target = event_time_->Target(now);
  if (held_ || WatermarkDue(target, now)) commit_pending_ = true;
  if (parts_.store->building()) return CommitBuild(target, now);
  return CommitOrHold(target, now);
}

absl::Status FoldLoopImpl::CommitOrHold(EventTime target, ProcessingTime now) {
  if (!commit_pending_) return absl::OkStatus();
  if (!hold_until_.has_value()) {
    hold_until_ = After(now, options_.max_commit_hold_ms);
  }
  if (!HoldIsOver(target, now)) return Hold();
  return CommitUpTo(target);
}

bool FoldLoopImpl::HoldIsOver(EventTime target, ProcessingTime now) const {
  return !poll_was_full_ || now >= *hold_until_ || !announced_ || saw_future_ ||
         stopping() || EnoughIsPending(target);
}

absl::Status FoldLoopImpl::CommitUpTo(EventTime target) {
  while (commit_pending_) {
    RETURN_IF_ERROR(Commit(target));
    if (commit_pending_ || stopping()) break;
    // What did not fit into one commit goes into the next.
    commit_pending_ =
        event_time_->watermark() < target && event_time_->ChangesRows(target);
  }
  return absl::OkStatus();
}

// The clock's verdict on an event must not be taken again, so it is committed
// as soon as ever.
bool FoldLoopImpl::BuildEnds() const {
  return parts_.store->build_end_wanted() || saw_future_ ||
         (tables_read_ && ReachedEnds());
}

bool FoldLoopImpl::BuildCommitDue(EventTime target, ProcessingTime now) const {
  return now >= next_build_commit_ || EnoughIsPending(target);
}

bool FoldLoopImpl::EnoughIsPending(EventTime target) const {
  if (parts_.pipeline->CommitDue()) return true;
  // What waits for the watermark takes memory too, but no commit for a few.
  return held_records_ >= kMinHeldRecords &&
         event_time_->buffer().memory_bytes() >=
             options_.reorder_buffer_bytes / 2 &&
         event_time_->ChangesRows(target);
}

absl::Status FoldLoopImpl::CommitBuild(EventTime target, ProcessingTime now) {
  const bool ends = BuildEnds();
  if (!ends && !BuildCommitDue(target, now)) return Hold();
  RETURN_IF_ERROR(CommitUpTo(target));
  return ends && !commit_pending_ ? parts_.store->FinishBuild()
                                  : absl::OkStatus();
}

absl::Status FoldLoopImpl::Hold() {
  held_ = commit_pending_;
  // Letters wait no longer for that.
  ASSIGN_OR_RETURN(const bool acknowledged,
                   diverter_.Acknowledged(options_.poll_timeout_ms));
  commit_pending_ = !acknowledged;
  return absl::OkStatus();
}

// Moves the watermark towards `watermark` and commits; leaves commit_pending_
// set if that has to wait.
absl::Status FoldLoopImpl::Commit(EventTime watermark) {
  if (!advanced_) {
    RETURN_IF_ERROR(event_time_->AdvanceTowards(
        watermark,
        [this](const RawRecord& record) { return Release(record); }));
    advanced_ = true;
    for (const Input& input : inputs_) {
      input.reader->set_watermark(event_time_->watermark());
    }
  }
  // Even so: within a poll, records are taken after a commit that has to wait.
  event_time_->Settle();
  ASSIGN_OR_RETURN(const bool acknowledged,
                   diverter_.Acknowledged(options_.poll_timeout_ms));
  if (!acknowledged && !options_.policy.commit_unacknowledged) {
    // A reader is not kept waiting for the broker: what is pending becomes a
    // commit after the build.
    return parts_.store->build_end_wanted() ? parts_.store->FinishBuild()
                                            : absl::OkStatus();
  }
  const ProcessingTime now = parts_.clock->Now();
  ASSIGN_OR_RETURN(const std::shared_ptr<const tidegate::Commit> commit,
                   parts_.pipeline->CommitPending(now, first_record_ms_,
                                                  progress_->positions()));
  commit_pending_ = false;
  held_ = false;
  hold_until_.reset();
  // A build still ends for it.
  if (!parts_.store->building()) saw_future_ = false;
  held_records_ = 0;
  next_build_commit_ = After(now, options_.build_commit_interval_ms);
  advanced_ = false;
  first_record_ms_ = 0;
  next_watermark_ = After(now, options_.watermark_commit_interval_ms);
  stats_.output_errors.store(parts_.pipeline->output_errors(),
                             std::memory_order_relaxed);
  if (commit == nullptr) return absl::OkStatus();
  AddTo(&stats_.commits, 1);
  AddTo(&stats_.changes, static_cast<int64_t>(commit->changes().size()));
  if (parts_.served != nullptr) parts_.served->NotifyCommitted();
  return absl::OkStatus();
}

}  // namespace tidegate
