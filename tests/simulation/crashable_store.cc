#include "tests/simulation/crashable_store.h"

#include "base/status_macros.h"

namespace tidegate {

absl::string_view CrashStepName(CrashStep step) {
  static constexpr absl::string_view kNames[kCrashSteps] = {
      "before append",     "after append",  "before sync",
      "after sync",        "before ingest", "after ingest",
      "before trim",       "after trim",    "before incarnation",
      "after incarnation", "between steps", "inside a step"};
  return kNames[static_cast<size_t>(step)];
}

absl::Status CrashableStore::Alive() const {
  return dead_ ? absl::UnavailableError("simulated crash") : absl::OkStatus();
}

absl::Status CrashableStore::Reach(CrashStep step) {
  if (step_ == step && --countdown_ == 0) dead_ = true;
  return Alive();
}

absl::Status CrashableStore::AppendLog(Seq seq, absl::string_view record) {
  RETURN_IF_ERROR(Reach(CrashStep::kBeforeAppend));
  RETURN_IF_ERROR(store_->AppendLog(seq, record));
  return Reach(CrashStep::kAfterAppend);
}

absl::Status CrashableStore::SyncLog() {
  RETURN_IF_ERROR(Reach(CrashStep::kBeforeSync));
  RETURN_IF_ERROR(store_->SyncLog());
  return Reach(CrashStep::kAfterSync);
}

absl::Status CrashableStore::ReadLog(
    Seq after,
    absl::FunctionRef<bool(Seq seq, absl::string_view record)> sink) {
  RETURN_IF_ERROR(Alive());
  return store_->ReadLog(after, sink);
}

absl::StatusOr<std::optional<Seq>> CrashableStore::FirstLogSeq() {
  RETURN_IF_ERROR(Alive());
  return store_->FirstLogSeq();
}

absl::Status CrashableStore::TrimLog(Seq through) {
  RETURN_IF_ERROR(Reach(CrashStep::kBeforeTrim));
  RETURN_IF_ERROR(store_->TrimLog(through));
  return Reach(CrashStep::kAfterTrim);
}

absl::Status CrashableStore::Checkpoint(RowSource* rows,
                                        absl::string_view checkpoint_record) {
  RETURN_IF_ERROR(Reach(CrashStep::kBeforeIngest));
  RETURN_IF_ERROR(store_->Checkpoint(rows, checkpoint_record));
  return Reach(CrashStep::kAfterIngest);
}

absl::Status CrashableStore::PutMeta(absl::string_view name,
                                     absl::string_view value) {
  RETURN_IF_ERROR(Reach(CrashStep::kBeforeIncarnation));
  RETURN_IF_ERROR(store_->PutMeta(name, value));
  return Reach(CrashStep::kAfterIncarnation);
}

absl::StatusOr<std::optional<std::string>> CrashableStore::GetMeta(
    absl::string_view name) {
  RETURN_IF_ERROR(Alive());
  return store_->GetMeta(name);
}

}  // namespace tidegate
