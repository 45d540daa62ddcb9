// A store that dies at a chosen step of a commit, a checkpoint or a start.
#ifndef TIDEGATE_TESTS_SIMULATION_DYING_STORE_H_
#define TIDEGATE_TESTS_SIMULATION_DYING_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "views/store/store.h"

namespace tidegate {

// Passes everything on to `disk`, asking `dies` before and after each step that
// writes; once it says yes, nothing is written any more. Thread-compatible.
class DyingStore : public Store {
 public:
  using Dies = std::function<bool(const std::string& step)>;
  DyingStore(Store* disk, Dies dies) : disk_(disk), dies_(std::move(dies)) {}

  bool dead() const { return dead_; }

  absl::Status AppendLog(Seq seq, absl::string_view record) override {
    return Step("append", [&] { return disk_->AppendLog(seq, record); });
  }
  absl::Status SyncLog() override {
    return Step("sync", [&] { return disk_->SyncLog(); });
  }
  absl::Status ReadLog(
      Seq after,
      absl::FunctionRef<bool(Seq seq, absl::string_view record)> sink)
      override {
    return disk_->ReadLog(after, sink);
  }
  absl::StatusOr<std::optional<Seq>> FirstLogSeq() override {
    return disk_->FirstLogSeq();
  }
  absl::Status TrimLog(Seq through) override {
    return Step("trim", [&] { return disk_->TrimLog(through); });
  }
  absl::Status Checkpoint(RowSource* rows, absl::string_view record) override {
    if (Dying("inside checkpoint")) {
      // Files half written are no part of the store.
      absl::string_view key;
      std::optional<absl::string_view> value;
      rows->Next(&key, &value);
      return Dead();
    }
    return Step("checkpoint", [&] { return disk_->Checkpoint(rows, record); });
  }
  std::shared_ptr<const StoreSnapshot> Snapshot() override {
    return disk_->Snapshot();
  }
  absl::Status PutMeta(absl::string_view name,
                       absl::string_view value) override {
    return Step("meta", [&] { return disk_->PutMeta(name, value); });
  }
  absl::StatusOr<std::optional<std::string>> GetMeta(
      absl::string_view name) override {
    return disk_->GetMeta(name);
  }

 private:
  static absl::Status Dead() { return absl::AbortedError("crashed"); }
  bool Dying(const std::string& step) {
    dead_ = dead_ || dies_(step);
    return dead_;
  }
  absl::Status Step(const char* name,
                    const std::function<absl::Status()>& write) {
    if (Dying(absl::StrCat("before ", name))) return Dead();
    absl::Status status = write();
    if (Dying(absl::StrCat("after ", name))) return Dead();
    return status;
  }

  Store* const disk_;
  const Dies dies_;
  bool dead_ = false;
};

}  // namespace tidegate

#endif  // TIDEGATE_TESTS_SIMULATION_DYING_STORE_H_
