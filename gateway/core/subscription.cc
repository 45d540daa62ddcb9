#include "gateway/core/subscription.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "gateway/core/watch_keys.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

std::string PresentIncarnation(const MaterializedStore& store) {
  const std::vector<Incarnation> all = store.incarnations();
  return all.empty() ? std::string() : all.back().id;
}

SubscriptionSpec Normalized(SubscriptionSpec spec) {
  std::vector<std::string>& keys = spec.filter.keys;
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  spec.progress_interval_ms =
      std::max(spec.progress_interval_ms, kMinProgressMs);
  spec.min_interval_ms = std::max<int64_t>(spec.min_interval_ms, 0);
  if (spec.filter.growing) spec.ranges = nullptr;  // keys are not in the hash
  return spec;
}

// Of the filter and the limits of a range. Not FilterHash: whoever sends a
// filter must not be able to make it another's.
uint64_t RangeKey(const SubscriptionFilter& filter, bool patient) {
  absl::string_view where;
  if (filter.where != nullptr) where = filter.where->canonical();
  return absl::HashOf(filter.view, filter.all_rows, filter.keys, filter.prefix,
                      filter.where != nullptr, where, patient);
}

}  // namespace

Subscription::Subscription(SubscriptionSpec spec, MaterializedStore* store)
    : spec_(Normalized(std::move(spec))),
      store_(store),
      incarnation_(PresentIncarnation(*store)),
      view_hash_(Fnv1a64(spec_.view_name)),
      filter_hash_(FilterHash(spec_.filter)),
      range_key_(RangeKey(spec_.filter, spec_.min_interval_ms > 0)),
      reader_(spec_.feeds, store) {
  if (spec_.ranges != nullptr) spec_.ranges->Join(range_key_);
  if (spec_.filter.growing) keys_ = std::make_unique<WatchKeys>();
}

Subscription::~Subscription() {
  if (spec_.ranges != nullptr) spec_.ranges->Leave(range_key_);
}

absl::StatusOr<std::unique_ptr<Subscription>> Subscription::Create(
    SubscriptionSpec spec, MaterializedStore* store, absl::string_view token) {
  std::unique_ptr<Subscription> subscription(
      new Subscription(std::move(spec), store));
  if (!token.empty()) {
    ASSIGN_OR_RETURN(const ResumeToken decoded, DecodeToken(token));
    RETURN_IF_ERROR(subscription->Resume(decoded));
  }
  return subscription;
}

absl::Status Subscription::Resume(const ResumeToken& token) {
  ASSIGN_OR_RETURN(const TokenVerdict verdict,
                   JudgeToken(token, spec_.view_name, spec_.view_version,
                              filter_hash_, *store_));
  if (verdict.reset.has_value()) {
    StartOver(*verdict.reset, verdict.detail);
    return absl::OkStatus();
  }
  // The commit the client stands at says what watermark it has seen.
  watermark_ = WatermarkAt(token.seq);
  if (token.snapshot.has_value()) {
    oldest_ = token.snapshot->oldest;
    last_key_ = token.snapshot->last_key;
    all_sent_ = token.snapshot->all_sent;
    target_ = token.seq;
    if (all_sent_) {
      target_ = store_->head();
      phase_ = Phase::kPatch;
    }
    return absl::OkStatus();
  }
  phase_ = Phase::kResumed;
  announced_ = scanned_ = token.seq;
  return absl::OkStatus();
}

EventTime Subscription::WatermarkAt(Seq seq) const {
  if (seq == Seq(0)) return kNoEventTime;
  const auto commits = store_->ReadLog(Seq(seq.value() - 1), 1);
  const bool there =
      commits.ok() && !commits->empty() && commits->front()->seq() == seq;
  return there ? commits->front()->watermark() : kNoEventTime;
}

void Subscription::ForgetSnapshot() {
  rows_.reset();
  reader_.Stop();
  pin_.reset();
  oldest_.reset();
  last_key_.clear();
  all_sent_ = false;
  target_ = Seq(0);
}

void Subscription::StartOver(ResetCause cause, std::string detail) {
  ForgetSnapshot();
  ForgetAnswer();
  fragment_to_.reset();
  fragment_key_.reset();
  phase_ = Phase::kReset;
  at_head_ = false;
  watermark_ = kNoEventTime;
  reset_ = cause;
  reset_detail_ = std::move(detail);
}

SubscriberState Subscription::state() const {
  if (blocked_) return SubscriberState::kBlocked;
  return at_head_ ? SubscriberState::kLive : SubscriberState::kCatchingUp;
}

void Subscription::SkipTo(Seq seq, EventTime watermark) {
  if (seq <= scanned_) return;
  scanned_ = seq;
  watermark_ = watermark;
}

absl::StatusOr<bool> Subscription::Next(ProcessingTime now, Message* message) {
  message->Clear();
  info_ = MessageInfo();
  absl::StatusOr<bool> sent = Step(now, message);
  if (sent.ok() || sent.status().code() != absl::StatusCode::kOutOfRange) {
    return sent;
  }
  // What it had still to read is gone.
  StartOver(ResetCause::kHistoryTrimmed, std::string(sent.status().message()));
  message->Clear();
  info_ = MessageInfo();
  return Step(now, message);
}

absl::StatusOr<bool> Subscription::Step(ProcessingTime now, Message* message) {
  if (phase_ == Phase::kReset) {
    ASSIGN_OR_RETURN(const bool open, OpenRows(now));
    if (!open) return false;
    SendReset(now, message);
    return true;
  }
  if (phase_ == Phase::kSnapshot) {
    ASSIGN_OR_RETURN(const bool sent, NextRows(now, message));
    if (sent || phase_ == Phase::kSnapshot) return sent;
  }
  if (phase_ == Phase::kPatch) {
    ASSIGN_OR_RETURN(const bool sent, NextPatch(now, message));
    if (sent || phase_ == Phase::kPatch) return sent;
  }
  if (phase_ == Phase::kEnd) {
    SendEnd(now, message);
    return true;
  }
  if (phase_ == Phase::kResumed) {
    phase_ = Phase::kDeltas;
    ResponseBuilder builder(&message->own);
    AddProgress(&builder);
    Finish(now, &builder);
    return true;
  }
  return keys_asked_ ? NextOfKeys(now, message) : NextDelta(now, message);
}

absl::StatusOr<Subscription::ReadResult> Subscription::ReadRange(
    Seq after, Seq at_most, DeltaRange* range) const {
  ReadResult result;
  result.to = after;
  const Seq last = fragment_to_.value_or(at_most);
  const bool patient = spec_.min_interval_ms > 0;
  const size_t max_scan = patient ? kPatientScanBytes : kMaxScanBytes;
  const size_t target = patient ? kPatientRangeBytes : kRangeTargetBytes;
  size_t scanned_bytes = 0;
  while (result.to < last) {
    ASSIGN_OR_RETURN(const std::vector<std::shared_ptr<const Commit>> commits,
                     store_->ReadLog(result.to, kReadBytes));
    if (commits.empty()) {
      result.log_end = true;
      break;
    }
    for (const std::shared_ptr<const Commit>& commit : commits) {
      range->Add(commit);
      if (result.oldest_commit == ProcessingTime()) {
        result.oldest_commit = commit->committed_at();
      }
      result.newest_commit = commit->committed_at();
      result.watermark = commit->watermark();
      result.to = commit->seq();
      scanned_bytes += commit->record().size();
      if (result.to >= last) return result;
      if (fragment_to_) continue;
      result.full = scanned_bytes >= max_scan;
      // At twice the target at least half is freed or the range is full: each
      // change is sorted a bounded number of times.
      if (!result.full && range->bytes() >= 2 * target) {
        RETURN_IF_ERROR(range->Conflate());
        result.full = range->bytes() >= target;
      }
      if (result.full) return result;
    }
  }
  if (fragment_to_ && result.to != last) {
    return absl::DataLossError(absl::StrCat("log ends at ", result.to.value(),
                                            ", has been read through ",
                                            last.value()));
  }
  return result;
}

absl::StatusOr<bool> Subscription::AddChanges(DeltaRange* range,
                                              EventTime watermark,
                                              ResponseBuilder* builder) {
  RETURN_IF_ERROR(range->Conflate());
  const std::vector<DeltaRange::Entry>& entries = range->entries();
  auto at = entries.begin();
  if (fragment_key_.has_value()) {
    at = std::upper_bound(
        entries.begin(), entries.end(), *fragment_key_,
        [](const std::string& key, const DeltaRange::Entry& entry) {
          return key < entry.key;
        });
  }
  std::string key;
  for (; at != entries.end(); ++at) {
    if (builder->size() >= kMaxMessageBytes) {
      fragment_key_ = std::string((at - 1)->key);
      return true;
    }
    if (at->kind == ChangeKind::kUpsert) {
      builder->AddUpsert(
          at->row, FinalityOf(spec_.window, at->row, at->corrected, watermark));
      continue;
    }
    key.clear();
    RETURN_IF_ERROR(KeyToMessage(*spec_.schema, at->key, &key));
    if (at->kind == ChangeKind::kLeft) {
      builder->AddLeft(key);
    } else {
      builder->AddDeleted(key);
    }
  }
  return false;
}

void Subscription::AddProgress(ResponseBuilder* builder) {
  builder->AddRange(announced_, scanned_);
  announced_ = scanned_;
  builder->SetToken(Token());
  builder->SetWatermark(watermark_);
  info_.progress = true;
}

void Subscription::Finish(ProcessingTime now, ResponseBuilder* builder) {
  if (first_response_) {
    builder->SetPosition(incarnation_,
                         phase_ == Phase::kDeltas ? announced_ : target_);
    first_response_ = false;
  }
  builder->SetSentAt(now);
  info_.changes = builder->changes();
  last_sent_ = now;
}

std::string Subscription::Token() const {
  ResumeToken token;
  token.view_hash = view_hash_;
  token.view_version = spec_.view_version;
  token.filter_hash = filter_hash_;
  token.incarnation = incarnation_;
  if (phase_ == Phase::kDeltas || phase_ == Phase::kResumed) {
    token.seq = announced_;
  } else {
    token.seq = target_;
    token.snapshot = SnapshotProgress{*oldest_, last_key_, all_sent_};
  }
  return EncodeToken(token);
}

void Subscription::Drain(ProcessingTime now, int64_t retry_after_ms,
                         Message* message) {
  message->Clear();
  info_ = MessageInfo();
  ResponseBuilder builder(&message->own);
  // A client that has got nothing yet, or was to be reset, starts again without
  // a token.
  const bool resumable = phase_ == Phase::kDeltas ||
                         phase_ == Phase::kResumed ||
                         (phase_ != Phase::kReset && oldest_.has_value());
  if (resumable) builder.SetToken(Token());
  builder.SetDrain(retry_after_ms);
  builder.SetSentAt(now);
}

}  // namespace tidegate
