// What StoreSimulation holds against the model and against its own records.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "tests/simulation/store_simulation.h"
#include "views/pipeline/test_pipeline.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

constexpr size_t kReadLogBytes = 600;

const std::vector<CatalogView>& CatalogViews() {
  static const auto* const kViews = new std::vector<CatalogView>(
      MakeCatalog(CompileViews(kOrderViews).plans, "default", nullptr).views);
  return *kViews;
}

}  // namespace

absl::StatusOr<StoreSimulation::AllRows> StoreSimulation::ReadRows(
    const ReadView& view) const {
  AllRows all;
  for (const CatalogView& shown : CatalogViews()) {
    ViewRows& rows = all[shown.id];
    const auto iterator = view.NewIterator(shown.id);
    for (iterator->Seek(""); iterator->Valid(); iterator->Next()) {
      rows[std::string(iterator->key())] = std::string(iterator->row());
    }
    RETURN_IF_ERROR(iterator->status());
    for (const auto& [key, row] : rows) {
      std::string found;
      ASSIGN_OR_RETURN(const bool there, view.GetRow(shown.id, key, &found));
      if (!there || found != row) {
        return absl::InternalError(
            absl::StrCat(shown.name, ": a row differs when read by its key"));
      }
    }
  }
  return all;
}

absl::Status StoreSimulation::CheckRows() {
  ASSIGN_OR_RETURN(const AllRows rows, ReadRows(*rows_->HeadView()));
  for (const CatalogView& view : CatalogViews()) {
    std::vector<std::string> texts;
    for (const auto& [key, row] : rows.at(view.id)) {
      texts.push_back(RowText(view.schema, row));
    }
    const std::vector<std::string> expected = model_->Rows(view.name);
    if (texts != expected) {
      return absl::InternalError(
          absl::StrCat(view.name, " at seq=", rows_->head().value(),
                       "\n  has  ", absl::StrJoin(texts, " "), "\n  want ",
                       absl::StrJoin(expected, " ")));
    }
    if (rows_->RowCountEstimate(view.id) != expected.size()) {
      return absl::InternalError(absl::StrCat(
          view.name,
          " is counted wrongly: ", rows_->RowCountEstimate(view.id)));
    }
  }
  const auto known = history_.find(rows_->head().value());
  if (known != history_.end() && model_ != nullptr &&
      known->second.rows != rows) {
    // Uncommitted events are in the model only, so that this is sharper.
    return absl::InternalError("rows of a commit changed over a restart");
  }
  return absl::OkStatus();
}

// A token is honoured exactly if the commit that it names is still there.
absl::Status StoreSimulation::CheckTokens() {
  const std::vector<Incarnation> incarnations = rows_->incarnations();
  for (const Token& token : tokens_) {
    const auto known = history_.find(token.seq.value());
    const bool same = known != history_.end() && known->second.id == token.id;
    const bool honoured = TokenHonoured(incarnations, token.incarnation,
                                        token.seq, rows_->head());
    if (honoured != same) {
      return absl::InternalError(
          absl::StrCat("token of seq=", token.seq.value(),
                       honoured ? " honoured, but its commit is another"
                                : " refused, but its commit is there"));
    }
    ++(honoured ? counts_->tokens_honoured : counts_->tokens_refused);
  }
  return absl::OkStatus();
}

absl::Status StoreSimulation::CheckHeldViews() {
  for (const HeldView& held : held_) {
    ASSIGN_OR_RETURN(const AllRows rows, ReadRows(*held.view));
    if (rows != held.rows) {
      return absl::InternalError(
          absl::StrCat("a held view changed: seq=", held.view->seq().value()));
    }
    ++counts_->held_views;
  }
  return absl::OkStatus();
}

absl::Status StoreSimulation::Replay(Seq after, AllRows* rows) const {
  while (after < rows_->head()) {
    ASSIGN_OR_RETURN(const auto commits, rows_->ReadLog(after, kReadLogBytes));
    if (commits.empty()) return absl::InternalError("the log ends early");
    for (const auto& commit : commits) {
      if (commit->seq() != after.next()) {
        return absl::InternalError("the log has a gap");
      }
      after = commit->seq();
      for (const Change& change : commit->changes()) {
        ViewRows& view = (*rows)[change.view];
        const std::string key(change.key);
        const auto found = view.find(key);
        if (change.has_before != (found != view.end()) ||
            (change.has_before && change.before != found->second)) {
          return absl::InternalError("a row before is not the row there was");
        }
        if (change.has_after) {
          view[key] = std::string(change.after);
        } else {
          view.erase(key);
        }
      }
    }
  }
  return absl::OkStatus();
}

// From the base and from any position that may be resumed from, the log leads
// to the head.
absl::Status StoreSimulation::CheckResume() {
  ASSIGN_OR_RETURN(const AllRows head, ReadRows(*rows_->HeadView()));
  std::unique_ptr<LogPin> pin;
  const auto base = rows_->BaseView(Now(), &pin);
  ASSIGN_OR_RETURN(AllRows from_base, ReadRows(*base));
  RETURN_IF_ERROR_CTX(Replay(base->seq(), &from_base), "from the base");
  if (from_base != head) {
    return absl::InternalError("base and log do not make the head");
  }
  const Seq first = rows_->resumable_from();
  if (first > base->seq()) return absl::InternalError("trimmed above the base");
  if (first > Seq(0)) {
    const absl::Status trimmed =
        rows_->ReadLog(Seq(first.value() - 1), kReadLogBytes).status();
    if (trimmed.code() != absl::StatusCode::kOutOfRange) {
      return absl::InternalError("history that was trimmed can be read");
    }
  }
  const uint64_t seq =
      first.value() + Random(rows_->head().value() - first.value() + 1);
  AllRows resumed;
  const auto known = history_.find(seq);
  if (known != history_.end()) resumed = known->second.rows;
  for (const CatalogView& view : CatalogViews()) resumed[view.id];
  RETURN_IF_ERROR_CTX(Replay(Seq(seq), &resumed),
                      absl::StrCat("resumed from seq=", seq));
  if (resumed != head) {
    return absl::InternalError(
        absl::StrCat("a resumed history is not the head: seq=", seq));
  }
  ++counts_->resumes;
  return absl::OkStatus();
}

}  // namespace tidegate
