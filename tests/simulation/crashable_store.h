// A Store that dies at a chosen step, as its process would.
#ifndef TIDEGATE_TESTS_SIMULATION_CRASHABLE_STORE_H_
#define TIDEGATE_TESTS_SIMULATION_CRASHABLE_STORE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "views/store/store.h"

namespace tidegate {

enum class CrashStep : uint8_t {
  kBeforeAppend,
  kAfterAppend,
  kBeforeSync,
  kAfterSync,
  kBeforeIngest,
  kAfterIngest,
  kBeforeTrim,
  kAfterTrim,
  kBeforeIncarnation,
  kAfterIncarnation,
  kBetween,  // of any two steps
  kInside,   // of one, where the store is RocksDB
};
inline constexpr size_t kCrashSteps = 12;
absl::string_view CrashStepName(CrashStep step);
using CrashCounts = std::array<uint64_t, kCrashSteps>;

// Passes everything on to `store` until the armed step is reached; from then on
// everything fails. After "after" steps the effect is there and the caller does
// not know. Thread-compatible; `store` must outlive it.
class CrashableStore : public Store {
 public:
  explicit CrashableStore(Store* store) : store_(store) {}
  // Dies at the `countdown`-th time `step` comes (1 is the next).
  void Arm(CrashStep step, uint64_t countdown) {
    step_ = step;
    countdown_ = countdown;
  }
  bool dead() const { return dead_; }

  absl::Status AppendLog(Seq seq, absl::string_view record) override;
  absl::Status SyncLog() override;
  absl::Status ReadLog(
      Seq after,
      absl::FunctionRef<bool(Seq seq, absl::string_view record)> sink) override;
  absl::StatusOr<std::optional<Seq>> FirstLogSeq() override;
  absl::Status TrimLog(Seq through) override;
  absl::Status Checkpoint(RowSource* rows,
                          absl::string_view checkpoint_record) override;
  std::shared_ptr<const StoreSnapshot> Snapshot() override {
    return store_->Snapshot();
  }
  absl::Status PutMeta(absl::string_view name,
                       absl::string_view value) override;
  absl::StatusOr<std::optional<std::string>> GetMeta(
      absl::string_view name) override;

 private:
  absl::Status Reach(CrashStep step);
  absl::Status Alive() const;

  Store* const store_;
  std::optional<CrashStep> step_;
  uint64_t countdown_ = 0;
  bool dead_ = false;
};

}  // namespace tidegate

#endif  // TIDEGATE_TESTS_SIMULATION_CRASHABLE_STORE_H_
