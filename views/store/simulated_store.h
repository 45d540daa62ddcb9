// A Store in memory that knows what a crash would leave. Deterministic.
#ifndef TIDEGATE_VIEWS_STORE_SIMULATED_STORE_H_
#define TIDEGATE_VIEWS_STORE_SIMULATED_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "views/store/store.h"

namespace tidegate {

enum class CrashKind : uint8_t { kProcess, kMachine };

// Thread-safe. Snapshots may outlive it and its crashes.
class SimulatedStore : public Store {
 public:
  SimulatedStore() = default;

  absl::Status AppendLog(Seq seq, absl::string_view record) override;
  absl::Status SyncLog() override;
  absl::Status ReadLog(
      Seq after,
      absl::FunctionRef<bool(Seq seq, absl::string_view record)> sink) override;
  absl::StatusOr<std::optional<Seq>> FirstLogSeq() override;
  absl::Status TrimLog(Seq through) override;
  absl::Status Checkpoint(RowSource* rows,
                          absl::string_view checkpoint_record) override;
  std::shared_ptr<const StoreSnapshot> Snapshot() override;
  absl::Status PutMeta(absl::string_view name,
                       absl::string_view value) override;
  absl::StatusOr<std::optional<std::string>> GetMeta(
      absl::string_view name) override;

  // What a start after a crash finds. When the machine crashes, of the records
  // appended since the last sync the first `kept_unsynced` (at most) are still
  // there, and trimming since then is undone.
  void Crash(CrashKind kind, size_t kept_unsynced);
  // Records appended since the last sync.
  size_t unsynced_records() const;

 private:
  class FrozenSnapshot;
  struct Rows {
    std::map<std::string, std::string, std::less<>> rows;
    std::string checkpoint;
  };

  mutable Mutex mutex_;
  std::map<Seq, std::string> log_ ABSL_GUARDED_BY(mutex_);
  Seq synced_through_ ABSL_GUARDED_BY(mutex_);
  // Trimmed since the last sync.
  std::map<Seq, std::string> trimmed_ ABSL_GUARDED_BY(mutex_);
  // Replaced, never changed: snapshots share it.
  std::shared_ptr<const Rows> rows_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<Rows>();
  std::map<std::string, std::string, std::less<>> meta_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_SIMULATED_STORE_H_
