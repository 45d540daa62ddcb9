// The part of Subscription that sends changes, after the end marker.
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/core/subscription.h"

namespace tidegate {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;
constexpr Seq kNoSeqLimit{std::numeric_limits<uint64_t>::max()};

ProcessingTime After(ProcessingTime time, int64_t ms) {
  return ProcessingTime(time.value() + ms * kMicrosPerMilli);
}

}  // namespace

ProcessingTime Subscription::progress_due() const {
  return After(last_sent_,
               std::max(spec_.progress_interval_ms, spec_.min_interval_ms));
}

ProcessingTime Subscription::due() const {
  if (reader_.awaits()) return reader_.ask_again();
  return withheld_ ? After(last_sent_, spec_.min_interval_ms) : progress_due();
}

// Only at the head: who is behind is not kept there.
bool Subscription::Withheld(ProcessingTime now) const {
  return spec_.min_interval_ms > 0 && at_head_ && !fragment_to_ &&
         now < After(last_sent_, spec_.min_interval_ms) &&
         store_->head() > scanned_;
}

bool Subscription::FarBehind() const {
  const size_t keys = spec_.filter.keys.size();
  if (spec_.filter.all_rows || keys > kStateCatchUpKeys || state_too_large_) {
    return false;
  }
  const Seq head = store_->head();
  return head > scanned_ &&
         head.value() - scanned_.value() >
             std::max<uint64_t>(kStateCatchUpCommits,
                                kStateCatchUpCommitsPerKey * keys);
}

const EncodedRange* Subscription::KeptRange() const {
  if (spec_.ranges == nullptr) return nullptr;
  const EncodedRange* const kept =
      spec_.ranges->Find(range_key_, scanned_, store_->head());
  // Whether somebody is reset does not depend on what others have read.
  if (kept != nullptr && scanned_ < store_->resumable_from()) return nullptr;
  return kept;
}

absl::StatusOr<bool> Subscription::NextDelta(ProcessingTime now,
                                             Message* message) {
  withheld_ = Withheld(now);
  if (withheld_) return false;
  if (fragment_to_.has_value()) return NextRange(now, message);
  if (FarBehind()) {
    ASSIGN_OR_RETURN(const bool done, NextState(now, message));
    if (done) return !message->empty();
  }
  if (const EncodedRange* const kept = KeptRange(); kept != nullptr) {
    message->shared = kept->changes;
    ResponseBuilder builder(&message->own, kept->count);
    return EndRange(*kept, /*continued=*/false, now, &builder);
  }
  return NextRange(now, message);
}

absl::StatusOr<bool> Subscription::NextRange(ProcessingTime now,
                                             Message* message) {
  DeltaRange range(&spec_.filter);
  ReadResult read;
  read.to = scanned_;
  read.log_end = true;
  const bool continued = fragment_to_.has_value();
  if (continued || store_->head() > scanned_) {
    ASSIGN_OR_RETURN(read, ReadRange(scanned_, kNoSeqLimit, &range));
  }
  ResponseBuilder builder(&message->own);
  ASSIGN_OR_RETURN(const bool more,
                   AddChanges(&range, read.watermark, &builder));
  if (more) {
    info_.oldest_commit = read.oldest_commit;
    at_head_ = false;
    fragment_to_ = read.to;
    info_.fragment = true;
    builder.SetFragment();
    Finish(now, &builder);
    return true;
  }
  fragment_to_.reset();
  fragment_key_.reset();
  EncodedRange encoded;
  encoded.from = scanned_;
  encoded.to = read.to;
  encoded.full = read.full;
  encoded.count = builder.changes();
  encoded.oldest_commit = read.oldest_commit;
  encoded.newest_commit = read.newest_commit;
  encoded.watermark = read.watermark;
  if (!continued && read.to > scanned_ && spec_.ranges != nullptr &&
      spec_.ranges->shared(range_key_)) {
    if (encoded.count > 0) {
      encoded.changes =
          std::make_shared<const std::string>(std::move(message->own));
      message->own.clear();
      message->shared = encoded.changes;
    }
    spec_.ranges->Put(range_key_, encoded);
  }
  return EndRange(encoded, continued, now, &builder);
}

bool Subscription::EndRange(const EncodedRange& range, bool continued,
                            ProcessingTime now, ResponseBuilder* builder) {
  if (range.to > scanned_) watermark_ = range.watermark;
  scanned_ = range.to;
  at_head_ = store_->head() <= scanned_;
  if (at_head_) state_too_large_ = false;
  if (range.count == 0 && !continued) {
    if (now < progress_due()) return false;
    AddProgress(builder);
  } else {
    if (range.count > 0) info_.oldest_commit = range.oldest_commit;
    builder->AddRange(announced_, scanned_);
    announced_ = scanned_;
    builder->SetToken(Token());
    builder->SetWatermark(watermark_);
    builder->SetCommittedAt(range.newest_commit);
  }
  Finish(now, builder);
  return true;
}

absl::StatusOr<bool> Subscription::NextState(ProcessingTime now,
                                             Message* message) {
  // The rows would do, but who was away for longer than the log is kept is
  // told so.
  if (scanned_ < store_->resumable_from()) {
    return absl::OutOfRangeError(absl::StrCat(
        "history trimmed: position ", scanned_.value(),
        " is gone, the oldest kept is ", store_->resumable_from().value()));
  }
  const std::shared_ptr<const ReadView> rows = store_->HeadView();
  ResponseBuilder builder(&message->own);
  for (const std::string& key : spec_.filter.keys) {
    if (builder.size() >= kMaxMessageBytes) {
      message->Clear();
      state_too_large_ = true;
      return false;
    }
    RETURN_IF_ERROR(AddPresentRow(*rows, key, &builder));
  }
  ASSIGN_OR_RETURN(const std::vector<std::shared_ptr<const Commit>> last,
                   store_->ReadLog(Seq(rows->seq().value() - 1), 1));
  EncodedRange range;
  range.from = scanned_;
  range.to = rows->seq();
  range.count = builder.changes();
  range.watermark = rows->watermark();
  if (!last.empty()) range.newest_commit = last.front()->committed_at();
  EndRange(range, /*continued=*/false, now, &builder);
  return true;
}

absl::Status Subscription::AddPresentRow(const ReadView& rows,
                                         const std::string& key,
                                         ResponseBuilder* builder) const {
  std::string row;
  bool corrected = false;
  Seq last_seq;
  ASSIGN_OR_RETURN(const bool found, rows.GetRow(spec_.filter.view, key, &row,
                                                 &corrected, &last_seq));
  // Of a row that is gone the store need not know since when.
  const bool unchanged = last_seq <= scanned_ && (found || last_seq > Seq(0));
  if (unchanged) return absl::OkStatus();
  if (found) {
    ASSIGN_OR_RETURN(const bool matches, spec_.filter.Matches(row));
    if (matches) {
      builder->AddUpsert(
          row, FinalityOf(spec_.window, row, corrected, rows.watermark()));
      return absl::OkStatus();
    }
  }
  std::string message;
  RETURN_IF_ERROR(KeyToMessage(*spec_.schema, key, &message));
  if (found) {
    builder->AddLeft(message);
  } else {
    builder->AddDeleted(message);
  }
  return absl::OkStatus();
}

}  // namespace tidegate
