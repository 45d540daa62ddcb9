#include "views/store/recovery.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

constexpr absl::string_view kIncarnationsName = "incarnations";
constexpr absl::string_view kBuiltName = "built";
constexpr absl::string_view kWayOut =
    "; restore the data directory from a backup, or move it away and let the "
    "pipeline be rebuilt from its topics";

absl::Status LoadCheckpoint(Store* store, StoreState* state) {
  state->version.base = store->Snapshot();
  const absl::string_view bytes = state->version.base->checkpoint();
  if (bytes.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(CheckpointRecord record, DecodeCheckpointRecord(bytes));
  state->version.base_seq = state->version.head = record.seq;
  state->version.base_watermark = state->version.watermark =
      record.positions.watermark;
  state->positions = std::move(record.positions);
  state->row_counts = std::move(record.row_counts);
  state->log_trimmed = record.log_trimmed;
  state->log_marks = std::move(record.log_marks);
  return absl::OkStatus();
}

void Apply(std::shared_ptr<const Commit> commit, StoreState* state) {
  PushRun(OverlayRun::FromCommit(*commit), state->version.base_seq,
          &state->version.runs);
  state->version.head = commit->seq();
  state->version.watermark = commit->watermark();
  state->positions = commit->positions();
  AddRows(CountRows(*commit), &state->row_counts);
  state->log_marks.Add(commit->seq(), commit->committed_at(),
                       commit->record().size());
  if (!state->uncheckpointed_since.has_value()) {
    state->uncheckpointed_since = commit->committed_at();
  }
  state->tail.Add(std::move(commit));
}

absl::Status Replay(Store* store, StoreState* state) {
  absl::Status failed;
  const auto apply = [&](Seq seq, absl::string_view record) {
    const Seq expected = state->version.head.next();
    if (seq != expected) {
      failed = absl::DataLossError(
          absl::StrCat("change log has a gap: expected seq=", expected.value(),
                       " found seq=", seq.value(), kWayOut));
      return false;
    }
    auto commit = Commit::Parse(std::string(record));
    if (!commit.ok() || (*commit)->seq() != seq) {
      failed = absl::DataLossError(absl::StrCat(
          "change log record is malformed: seq=", seq.value(), ": ",
          commit.ok() ? "it says it is another one" : commit.status().message(),
          kWayOut));
      return false;
    }
    Apply(*std::move(commit), state);
    return true;
  };
  RETURN_IF_ERROR(store->ReadLog(state->version.head, apply));
  return failed;
}

// The log is synced before a checkpoint and trimmed only below the one before
// it, so the record of the checkpoint's own commit is always there; but a
// build's commit is in no log.
absl::Status CheckLogReachesCheckpoint(Store* store, const StoreState& state) {
  const Seq checkpoint = state.version.base_seq;
  if (checkpoint == state.log_trimmed) return absl::OkStatus();
  bool found = false;
  RETURN_IF_ERROR(store->ReadLog(Seq(checkpoint.value() - 1),
                                 [&](Seq seq, absl::string_view) {
                                   found = seq == checkpoint;
                                   return false;
                                 }));
  if (found) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("change log ends below the checkpoint's commit, so synced "
                   "writes were lost: checkpoint seq=",
                   checkpoint.value(), kWayOut));
}

absl::Status CheckLogStart(Store* store, StoreState* state) {
  ASSIGN_OR_RETURN(const std::optional<Seq> first, store->FirstLogSeq());
  if (first.has_value() && first->value() > state->log_trimmed.value() + 1) {
    state->log_trimmed = Seq(first->value() - 1);
  }
  state->log_marks.Trim(state->log_trimmed);
  return absl::OkStatus();
}

}  // namespace

size_t CommitBytes(const Commit& commit) {
  return sizeof(Commit) + commit.record().size() +
         commit.changes().size() * sizeof(Change);
}

RowCountChanges CountRows(const Commit& commit) {
  RowCountChanges counted;
  for (const Change& change : commit.changes()) {
    if (change.has_before == change.has_after) continue;
    counted[change.view] += change.has_after ? 1 : -1;
  }
  return counted;
}

void AddRows(const RowCountChanges& changes, RowCounts* counts) {
  for (const auto& [view, change] : changes) {
    (*counts)[view] += static_cast<uint64_t>(change);
  }
}

void CommitTail::Add(std::shared_ptr<const Commit> commit) {
  bytes_ += CommitBytes(*commit);
  commits_.push_back(std::move(commit));
  while (commits_.size() > 1 &&
         (commits_.size() > max_commits_ || bytes_ > max_bytes_)) {
    bytes_ -= CommitBytes(*commits_.front());
    commits_.pop_front();
  }
}

bool CommitTail::Read(Seq after, size_t max_bytes,
                      std::vector<std::shared_ptr<const Commit>>* out) const {
  if (commits_.empty() || after.next() < commits_.front()->seq() ||
      after >= commits_.back()->seq()) {
    return false;
  }
  size_t bytes = 0;
  for (size_t i = after.next().value() - commits_.front()->seq().value();
       i < commits_.size() && (out->empty() || bytes < max_bytes); ++i) {
    out->push_back(commits_[i]);
    bytes += commits_[i]->record().size();
  }
  return true;
}

absl::StatusOr<StoreState> Recover(Store* store,
                                   const MaterializedStoreOptions& options) {
  StoreState state(options);
  RETURN_IF_ERROR_CTX(LoadCheckpoint(store, &state), "recovery");
  RETURN_IF_ERROR_CTX(CheckLogReachesCheckpoint(store, state), "recovery");
  RETURN_IF_ERROR_CTX(Replay(store, &state), "recovery");
  RETURN_IF_ERROR_CTX(CheckLogStart(store, &state), "recovery");
  state.version.overlay_bytes = OverlayBytes(state.version.runs);
  return state;
}

absl::StatusOr<bool> MayBuild(Store* store, const StoreState& state) {
  if (state.version.head != state.log_trimmed) return false;
  ASSIGN_OR_RETURN(const std::optional<std::string> built,
                   store->GetMeta(kBuiltName));
  return !built.has_value();
}

absl::Status NoteBuilt(Store* store) { return store->PutMeta(kBuiltName, "1"); }

absl::StatusOr<std::vector<Incarnation>> AppendIncarnation(Store* store,
                                                           std::string id,
                                                           Seq head) {
  if (id.size() != kIncarnationBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("incarnation id has the wrong size: ", id.size()));
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                   store->GetMeta(kIncarnationsName));
  std::vector<Incarnation> incarnations;
  if (stored.has_value()) {
    ASSIGN_OR_RETURN(incarnations, DecodeIncarnations(*stored));
  }
  if (std::any_of(incarnations.begin(), incarnations.end(),
                  [&](const Incarnation& known) { return known.id == id; })) {
    return absl::InvalidArgumentError("incarnation id is already in the list");
  }
  incarnations.push_back({std::move(id), head.next()});
  if (incarnations.size() > kMaxIncarnations) {
    incarnations.erase(incarnations.begin());
  }
  RETURN_IF_ERROR(store->SyncLog());
  RETURN_IF_ERROR(
      store->PutMeta(kIncarnationsName, EncodeIncarnations(incarnations)));
  return incarnations;
}

}  // namespace tidegate
