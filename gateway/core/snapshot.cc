// The part of Subscription that sends rows, up to the end marker.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/core/subscription.h"

namespace tidegate {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;

}  // namespace

absl::Status Subscription::OpenRows(ProcessingTime now) {
  iterator_.reset();
  rows_.reset();
  std::unique_ptr<LogPin> pin;
  const bool whole = spec_.filter.all_rows && !spec_.skip_snapshot;
  rows_ = whole ? store_->BaseView(now, &pin) : store_->HeadView();
  // The log after the first rows is needed to the end; so the first pin stays.
  if (pin_ == nullptr) pin_ = std::move(pin);
  rows_opened_ = now;
  if (rows_->seq() < target_) {
    return absl::OutOfRangeError("rows are older than those already sent");
  }
  target_ = rows_->seq();
  if (whole) {
    iterator_ = rows_->NewIterator(spec_.filter.view);
    iterator_->Seek(oldest_ ? last_key_ + '\0' : spec_.filter.prefix);
  }
  return absl::OkStatus();
}

void Subscription::SendReset(ProcessingTime now, Message* message) {
  ResponseBuilder builder(&message->own);
  info_.reset = reset_;
  builder.SetReset(*reset_, reset_detail_);
  builder.SetPosition(incarnation_, target_);
  first_response_ = false;
  phase_ = Phase::kSnapshot;
  Finish(now, &builder);
}

absl::StatusOr<bool> Subscription::AddRow(ResponseBuilder* builder) {
  if (!iterator_->Valid()) {
    RETURN_IF_ERROR(iterator_->status());
    return false;
  }
  if (!absl::StartsWith(iterator_->key(), spec_.filter.prefix)) return false;
  const StoredEntry& entry = iterator_->entry();
  ASSIGN_OR_RETURN(const bool matches, spec_.filter.Matches(entry.row));
  if (matches) {
    builder->AddUpsert(entry.row,
                       FinalityOf(spec_.window, entry.row, entry.corrected,
                                  rows_->watermark()));
  }
  last_key_.assign(iterator_->key().data(), iterator_->key().size());
  iterator_->Next();
  return true;
}

absl::StatusOr<bool> Subscription::AddKeyedRow(ResponseBuilder* builder) {
  const std::vector<std::string>& keys = spec_.filter.keys;
  auto at = oldest_ ? std::upper_bound(keys.begin(), keys.end(), last_key_)
                    : keys.begin();
  std::string row;
  bool corrected = false;
  for (; at != keys.end(); ++at) {
    ASSIGN_OR_RETURN(const bool found,
                     rows_->GetRow(spec_.filter.view, *at, &row, &corrected));
    // A row that is absent or does not match counts as sent: if that changes,
    // the patch has it.
    oldest_ = oldest_.value_or(target_);
    last_key_ = *at;
    if (!found) continue;
    ASSIGN_OR_RETURN(const bool matches, spec_.filter.Matches(row));
    if (!matches) continue;
    builder->AddUpsert(
        row, FinalityOf(spec_.window, row, corrected, rows_->watermark()));
    return true;
  }
  return false;
}

absl::StatusOr<bool> Subscription::NextRows(ProcessingTime now,
                                            Message* message) {
  const int64_t max_age_ms =
      spec_.filter.all_rows ? kMaxSnapshotViewMs : kMaxHeadViewMs;
  if (rows_ == nullptr ||
      now.value() - rows_opened_.value() > max_age_ms * kMicrosPerMilli) {
    RETURN_IF_ERROR(OpenRows(now));
  }
  ResponseBuilder builder(&message->own);
  bool more = !spec_.skip_snapshot;
  while (more && builder.size() < kMaxMessageBytes) {
    ASSIGN_OR_RETURN(more,
                     iterator_ ? AddRow(&builder) : AddKeyedRow(&builder));
    if (more) oldest_ = oldest_.value_or(target_);
  }
  watermark_ = std::max(watermark_, rows_->watermark());
  if (builder.changes() > 0) {
    builder.SetSnapshot();
    builder.SetToken(Token());
    builder.SetWatermark(rows_->watermark());
    info_.snapshot = true;
    Finish(now, &builder);
  }
  if (!more) {
    iterator_.reset();
    rows_.reset();
    const bool patch = oldest_.has_value() && *oldest_ < target_;
    phase_ = patch ? Phase::kPatch : Phase::kEnd;
    all_sent_ = true;
  }
  return builder.changes() > 0;
}

// Brings the keys already sent from oldest_ to target_, a step of the log at a
// time. What may have been sent from a view in between is taken back. A range
// that ends before target_ is judged by its own watermark, although the client
// may have seen a later one: by that one, a row that the next range changes
// could be called final.
absl::StatusOr<bool> Subscription::NextPatch(ProcessingTime now,
                                             Message* message) {
  ResponseBuilder builder(&message->own);
  EventTime seen = watermark_;
  if (*oldest_ < target_) {
    DeltaRange range(&spec_.filter, DeltaRange::Held::kUnknown);
    ASSIGN_OR_RETURN(const ReadResult read,
                     ReadRange(*oldest_, target_, &range));
    if (read.log_end) {
      return absl::DataLossError(absl::StrCat("log ends at ", read.to.value(),
                                              ", rows are as of ",
                                              target_.value()));
    }
    ASSIGN_OR_RETURN(const bool more,
                     AddChanges(&range, read.watermark, &builder));
    seen = read.watermark;
    if (more) {
      fragment_to_ = read.to;
    } else {
      fragment_to_.reset();
      fragment_key_.reset();
      oldest_ = read.to;
    }
  }
  const bool sent = builder.changes() > 0;
  // None where the log is behind the rows that the client has.
  const bool moved_on = seen >= watermark_;
  watermark_ = std::max(watermark_, seen);
  if (sent) {
    builder.SetSnapshot();
    builder.SetToken(Token());
    if (moved_on) builder.SetWatermark(watermark_);
    info_.snapshot = true;
    Finish(now, &builder);
  }
  if (*oldest_ >= target_) phase_ = Phase::kEnd;
  return sent;
}

void Subscription::SendEnd(ProcessingTime now, Message* message) {
  ResponseBuilder builder(&message->own);
  announced_ = scanned_ = target_;
  phase_ = Phase::kDeltas;
  builder.SetSnapshotEnd();
  builder.SetToken(Token());
  builder.SetPosition(incarnation_, target_);
  builder.SetWatermark(watermark_);
  first_response_ = false;
  Finish(now, &builder);
  ForgetSnapshot();
}

}  // namespace tidegate
