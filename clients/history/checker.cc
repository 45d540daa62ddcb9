#include "clients/history/checker.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/coding.h"

namespace tidegate {
namespace {

using Kind = HistoryEvent::Kind;

uint64_t RowHash(const std::string& key, const std::string& row) {
  std::string text;
  PutLengthPrefixed(&text, key);
  text += row;
  return Fnv1a64(text);
}

std::string PositionText(const HistoryPosition& position) {
  std::string text = position.incarnation;
  for (const auto& [partition, seq] : position.seqs) {
    absl::StrAppend(&text, "/", partition, ":", seq);
  }
  return text;
}

absl::string_view FinalityText(RowFinality finality) {
  switch (finality) {
    case RowFinality::kNone:
      break;
    case RowFinality::kProvisional:
      return "provisional";
    case RowFinality::kFinal:
      return "final";
    case RowFinality::kCorrected:
      return "corrected";
  }
  return "without finality";
}

}  // namespace

std::string StateBook::Note(const std::string& subject,
                            const HistoryPosition& position,
                            uint64_t state_hash, const std::string& where) {
  const std::string key = absl::StrCat(subject, "@", PositionText(position));
  if (seen_.size() >= kMaxPositions) seen_.clear();
  const auto [it, is_new] = seen_.try_emplace(key, Seen{state_hash, where});
  if (is_new || it->second.state_hash == state_hash) return "";
  return it->second.where;
}

Checker::Checker(std::string name, StateBook* book)
    : name_(std::move(name)), book_(book) {}

void Checker::Violation(int line, absl::string_view invariant,
                        absl::string_view what) {
  ++counts_.violations;
  if (violations_.size() >= kMaxViolationTexts) return;
  violations_.push_back(
      absl::StrCat(name_, ":", line, ": ", invariant, ": ", what));
}

void Checker::AddLine(absl::string_view line, int number) {
  const absl::StatusOr<HistoryEvent> event = ParseHistoryLine(line, number);
  if (!event.ok()) {
    Violation(number, "readable", event.status().message());
    return;
  }
  Add(*event);
}

void Checker::Add(const HistoryEvent& event) {
  if (!connected_ && event.kind != Kind::kConnect) {
    Violation(event.line, "readable", "history does not start with connect");
    connected_ = true;
    in_snapshot_ = true;
  }
  switch (event.kind) {
    case Kind::kConnect:
      return OnConnect(event);
    case Kind::kUpsert:
    case Kind::kDeleted:
    case Kind::kLeft:
      return OnChange(event);
    case Kind::kSnapshotEnd:
      return OnSnapshotEnd(event);
    case Kind::kProgress:
      return OnProgress(event);
    case Kind::kReset:
      return OnReset(event);
    case Kind::kDrain:
      return OnDrain(event);
    case Kind::kError:
      return Violation(event.line, "reliable",
                       absl::StrCat("the client reports ", event.detail));
  }
}

void Checker::StartOver() {
  rows_.clear();
  finality_.clear();
  final_seen_ = false;
  state_hash_ = 0;
  pending_.clear();
  pending_keys_.clear();
  position_.reset();
  in_snapshot_ = true;
  snapshot_start_.reset();
  snapshot_was_cut_ = false;
  snapshot_repeats_.clear();
  just_resumed_ = false;
  last_token_.clear();
}

void Checker::CheckNothingPending(int line, absl::string_view what) {
  // A snapshot may be cut off anywhere: it has no range to be whole in.
  if (pending_.empty()) return;
  if (!in_snapshot_) {
    Violation(line, "atomic",
              absl::StrCat(pending_.size(), " changes, then ", what,
                           " instead of the progress they belong to"));
  }
  pending_.clear();
  pending_keys_.clear();
}

void Checker::OnConnect(const HistoryEvent& event) {
  const bool first = !connected_;
  connected_ = true;
  CheckNothingPending(event.line, "a new stream");
  if (!first) was_away_ = true;
  if (!event.subject.empty()) subject_ = event.subject;
  keyed_ = event.keyed;
  if (drained_token_.has_value() && *drained_token_ != event.token) {
    Violation(event.line, "drain",
              "the stream after a drain does not start at the drain's token");
  }
  drained_token_.reset();
  if (event.token.empty()) {
    if (!last_token_.empty()) {
      Violation(event.line, "resumable",
                "started over though there was a token");
    }
    StartOver();
    snapshot_start_ = event.position;
    return;
  }
  ++counts_.resumes;
  just_resumed_ = true;
  if (first) {
    // Resumed from what another process held: its rows are not known, so
    // only continuity is checked until the next snapshot.
    in_snapshot_ = false;
    return;
  }
  if (event.token != last_token_) {
    Violation(event.line, "resumable",
              "resumed from a token that is not the "
              "last one");
  }
  const auto it = tokens_.find(event.token);
  if (it == tokens_.end()) return;
  in_snapshot_ = !it->second.has_value();
  snapshot_was_cut_ |= in_snapshot_;
  position_ = it->second;
}

void Checker::OnChange(const HistoryEvent& event) {
  const bool repeated = !pending_keys_.insert(event.key).second;
  if (!in_snapshot_) {
    if (repeated) {
      Violation(event.line, "unique",
                absl::StrCat("key ", event.key, " twice in one batch"));
    }
    pending_.push_back(event);
    return;
  }
  const bool gone = event.kind != Kind::kUpsert;
  if ((gone || repeated) && snapshot_repeats_.size() < kMaxViolationTexts) {
    snapshot_repeats_.push_back(
        {event.line, gone ? "snapshot-end" : "unique",
         absl::StrCat(gone ? "a deletion of" : "twice", " key ", event.key,
                      " in one snapshot")});
  }
  SetRow(event.key, gone ? nullptr : &event);
}

void Checker::SetRow(const std::string& key, const HistoryEvent* upsert) {
  const auto it = rows_.find(key);
  if (it != rows_.end()) state_hash_ -= RowHash(it->first, it->second);
  if (upsert == nullptr) {
    if (it != rows_.end()) rows_.erase(it);
    finality_.erase(key);
    return;
  }
  rows_[key] = upsert->row;
  state_hash_ += RowHash(key, upsert->row);
  if (upsert->finality == RowFinality::kNone) {
    finality_.erase(key);
  } else {
    finality_[key] = upsert->finality;
  }
  final_seen_ |= upsert->finality >= RowFinality::kFinal;
}

void Checker::CheckFinality(const HistoryEvent& change) {
  const auto before = finality_.find(change.key);
  if (before == finality_.end()) return;
  const bool amended = rows_[change.key] != change.row;
  if (change.finality < before->second) {
    Violation(
        change.line, "final",
        absl::StrCat(FinalityText(before->second), ", then ",
                     FinalityText(change.finality), ": key ", change.key));
  } else if (amended && before->second == RowFinality::kFinal &&
             change.finality != RowFinality::kCorrected) {
    Violation(
        change.line, "final",
        absl::StrCat("changed but not called corrected: key ", change.key));
  }
}

void Checker::CheckFinalHasWatermark(int line) {
  if (final_seen_ && !watermark_us_.has_value()) {
    Violation(line, "final", "rows called final without any watermark");
  }
  final_seen_ = false;
}

void Checker::OnSnapshotEnd(const HistoryEvent& event) {
  if (!in_snapshot_) {
    if (just_resumed_) {
      Violation(event.line, "explicit-reset",
                "a snapshot after a resume, without a reset");
    } else {
      Violation(event.line, "snapshot-end", "a second end of one snapshot");
    }
    pending_.clear();
  }
  ++counts_.snapshots;
  in_snapshot_ = false;
  just_resumed_ = false;
  pending_keys_.clear();
  if (!event.position.has_value()) {
    Violation(event.line, "state", "the snapshot's end has no position");
  }
  const bool moved =
      snapshot_was_cut_ ||
      (snapshot_start_.has_value() && event.position.has_value() &&
       snapshot_start_->seqs != event.position->seqs);
  if (!moved) {
    for (const Repeat& repeat : snapshot_repeats_) {
      Violation(repeat.line, repeat.invariant, repeat.what);
    }
  }
  snapshot_repeats_.clear();
  position_ = event.position;
  CheckWatermark(event);
  CheckFinalHasWatermark(event.line);
  Remember(event.token);
  NoteState(event.line);
}

void Checker::CheckRanges(const HistoryEvent& event) {
  if (!position_.has_value()) {
    position_.emplace();
    for (const HistoryRange& range : event.ranges) {
      position_->seqs.emplace(range.partition, range.from);
    }
  }
  bool advanced = false;
  for (const HistoryRange& range : event.ranges) {
    uint64_t& seq = position_->seqs[range.partition];
    const std::string what =
        absl::StrCat("range (", range.from, ", ", range.to, "] of partition ",
                     range.partition, " at position ", seq);
    const absl::string_view gap = just_resumed_ ? "resumable" : "reliable";
    const absl::string_view again = just_resumed_ ? "resumable" : "unique";
    if (range.to < range.from) Violation(event.line, "ordered", what);
    if (range.from > seq) Violation(event.line, gap, what);
    if (range.from < seq) Violation(event.line, again, what);
    advanced |= range.to > range.from;
    seq = range.to;
  }
  if (!pending_.empty() && !advanced) {
    Violation(event.line, "atomic", "changes in a range that covers nothing");
  }
  if (event.position.has_value()) {
    if (event.position->seqs != position_->seqs) {
      Violation(event.line, "ordered",
                absl::StrCat("position ", PositionText(*event.position),
                             " is not where the ranges lead"));
    }
    position_->incarnation = event.position->incarnation;
  }
}

void Checker::OnProgress(const HistoryEvent& event) {
  if (event.in_snapshot) {
    if (!in_snapshot_) {
      Violation(event.line, "snapshot-end", "a snapshot's chunk after its end");
    }
    if (!snapshot_start_.has_value()) snapshot_start_ = event.position;
    CheckWatermark(event);
    Remember(event.token);
    return;
  }
  if (in_snapshot_) {
    Violation(event.line, "snapshot-end", "deltas before the snapshot's end");
    in_snapshot_ = false;
    pending_keys_.clear();
  }
  CheckRanges(event);
  just_resumed_ = false;
  ApplyBatch(event);
  CheckWatermark(event);
  CheckFinalHasWatermark(event.line);
  Remember(event.token);
  NoteState(event.line);
}

void Checker::ApplyBatch(const HistoryEvent& progress) {
  counts_.deltas += static_cast<int64_t>(pending_.size());
  uint64_t commits = 0;
  for (const HistoryRange& range : progress.ranges) {
    if (range.to > range.from) commits += range.to - range.from;
  }
  const bool was_far_behind = keyed_ && commits > kKeyedCatchUpCommits;
  const bool knows_all_rows = counts_.snapshots > 0 && !was_far_behind;
  for (const HistoryEvent& change : pending_) {
    if (change.kind == Kind::kUpsert) {
      CheckFinality(change);
      SetRow(change.key, &change);
      continue;
    }
    if (knows_all_rows && rows_.find(change.key) == rows_.end()) {
      Violation(
          change.line, "state",
          absl::StrCat("a row that was not there is gone: key ", change.key));
    }
    SetRow(change.key, nullptr);
  }
  pending_.clear();
  pending_keys_.clear();
}

void Checker::OnReset(const HistoryEvent& event) {
  CheckNothingPending(event.line, "a reset");
  ++counts_.resets;
  was_away_ = true;
  if (event.cause.empty()) {
    Violation(event.line, "explicit-reset", "a reset without a cause");
  }
  // Another history has a watermark of its own; a trimmed one goes on.
  if (event.cause != "HISTORY_TRIMMED") watermark_us_.reset();
  StartOver();
  snapshot_start_ = event.position;
}

void Checker::OnDrain(const HistoryEvent& event) {
  CheckNothingPending(event.line, "a drain");
  if (event.token.empty()) {
    if (!in_snapshot_) {
      Violation(event.line, "drain", "a drain without a token");
    }
    return;
  }
  const auto it = tokens_.find(event.token);
  if (it != tokens_.end() && it->second.has_value() && position_.has_value() &&
      it->second->seqs != position_->seqs) {
    Violation(
        event.line, "drain",
        absl::StrCat("the drain's token stands at ", PositionText(*it->second),
                     ", the stream at ", PositionText(*position_)));
  }
  // A token not seen before stands for this very position.
  if (it == tokens_.end()) Remember(event.token);
  last_token_ = event.token;
  drained_token_ = event.token;
}

void Checker::CheckWatermark(const HistoryEvent& event) {
  if (!event.watermark_us.has_value()) return;
  if (watermark_us_.has_value() && *event.watermark_us < *watermark_us_) {
    Violation(event.line, "watermark",
              absl::StrCat("moved back by ",
                           *watermark_us_ - *event.watermark_us, " us"));
  }
  watermark_us_ = event.watermark_us;
}

void Checker::NoteState(int line) {
  if (book_ == nullptr || !position_.has_value() || counts_.snapshots == 0 ||
      position_->incarnation.empty()) {
    return;
  }
  const std::string other = book_->Note(subject_, *position_, state_hash_,
                                        absl::StrCat(name_, ":", line));
  if (other.empty()) return;
  Violation(line, "state",
            absl::StrCat("other rows at position ", PositionText(*position_),
                         " than ", other));
}

void Checker::Remember(const std::string& token) {
  if (token.empty()) return;
  last_token_ = token;
  if (tokens_.size() >= kMaxTokens) tokens_.clear();
  if (in_snapshot_) {
    tokens_[token] = std::nullopt;
  } else {
    tokens_[token] = position_;
  }
}

void Checker::CompareFinal(const std::map<std::string, std::string>& rows) {
  const absl::string_view extra = was_away_ ? "no-resurrection" : "state";
  for (const auto& [key, row] : rows_) {
    const auto it = rows.find(key);
    if (it == rows.end()) {
      Violation(0, extra,
                absl::StrCat("still holds key ", key, ", which is gone"));
    } else if (it->second != row) {
      Violation(
          0, "state",
          absl::StrCat("holds ", row, " where the view has ", it->second));
    }
  }
  for (const auto& [key, row] : rows) {
    if (rows_.find(key) == rows_.end()) {
      Violation(0, "state", absl::StrCat("lacks ", row));
    }
  }
}

}  // namespace tidegate
