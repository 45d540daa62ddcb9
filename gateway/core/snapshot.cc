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

absl::StatusOr<bool> Subscription::OpenRows(ProcessingTime now) {
  if (!spec_.filter.all_rows || spec_.skip_snapshot) {
    rows_ = store_->HeadView();
    rows_opened_ = now;
    if (rows_->seq() < target_) {
      return absl::OutOfRangeError("rows are older than those already sent");
    }
    target_ = rows_->seq();
    return true;
  }
  if (reader_.open()) return true;
  SnapshotRequest request;
  request.filter = &spec_.filter;
  request.filter_hash = filter_hash_;
  request.window = spec_.window;
  request.from_start = !oldest_.has_value();
  if (oldest_) request.after_key = last_key_;
  request.at_least = target_;
  // The log after the first rows is needed to the end; so the first pin stays.
  ASSIGN_OR_RETURN(const bool open, reader_.Open(request, now, &pin_));
  if (open) target_ = reader_.seq();
  return open;
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
  return spec_.filter.all_rows && !spec_.skip_snapshot
             ? NextSharedRows(now, message)
             : NextKeyedRows(now, message);
}

absl::StatusOr<bool> Subscription::NextSharedRows(ProcessingTime now,
                                                  Message* message) {
  while (true) {
    ASSIGN_OR_RETURN(const bool open, OpenRows(now));
    if (!open) return false;
    const EventTime watermark = reader_.watermark();
    std::shared_ptr<const SnapshotChunk> chunk;
    ASSIGN_OR_RETURN(const SnapshotFeed::Got got, reader_.Next(now, &chunk));
    if (got == SnapshotFeed::Got::kPending) return false;
    if (got == SnapshotFeed::Got::kGone) continue;
    watermark_ = std::max(watermark_, watermark);
    if (got == SnapshotFeed::Got::kEnd) {
      EndRows();
      return false;
    }
    // Rows that do not match count as sent: if that changes, the patch has it.
    oldest_ = oldest_.value_or(target_);
    last_key_ = chunk->last_key;
    if (chunk->rows == 0) continue;
    message->shared = chunk->changes;
    ResponseBuilder builder(&message->own);
    FinishRows(watermark, now, &builder);
    info_.changes = chunk->rows;
    return true;
  }
}

absl::StatusOr<bool> Subscription::NextKeyedRows(ProcessingTime now,
                                                 Message* message) {
  if (rows_ == nullptr ||
      now.value() - rows_opened_.value() > kMaxHeadViewMs * kMicrosPerMilli) {
    RETURN_IF_ERROR(OpenRows(now).status());
  }
  ResponseBuilder builder(&message->own);
  bool more = !spec_.skip_snapshot;
  while (more && builder.size() < kMaxMessageBytes) {
    ASSIGN_OR_RETURN(more, AddKeyedRow(&builder));
    if (more) oldest_ = oldest_.value_or(target_);
  }
  watermark_ = std::max(watermark_, rows_->watermark());
  const bool any = builder.changes() > 0;
  if (any) FinishRows(rows_->watermark(), now, &builder);
  if (!more) EndRows();
  return any;
}

void Subscription::FinishRows(EventTime watermark, ProcessingTime now,
                              ResponseBuilder* builder) {
  builder->SetSnapshot();
  builder->SetToken(Token());
  builder->SetWatermark(watermark);
  info_.snapshot = true;
  Finish(now, builder);
}

void Subscription::EndRows() {
  reader_.Stop();
  rows_.reset();
  const bool patch = oldest_.has_value() && *oldest_ < target_;
  phase_ = patch ? Phase::kPatch : Phase::kEnd;
  all_sent_ = true;
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
