#include "views/store/simulated_store.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tidegate {

class SimulatedStore::FrozenSnapshot : public StoreSnapshot {
 public:
  explicit FrozenSnapshot(std::shared_ptr<const Rows> rows)
      : rows_(std::move(rows)) {}
  absl::string_view checkpoint() const override { return rows_->checkpoint; }
  absl::StatusOr<bool> Get(absl::string_view key,
                           std::string* value) const override {
    const auto found = rows_->rows.find(key);
    if (found == rows_->rows.end()) return false;
    *value = found->second;
    return true;
  }
  std::unique_ptr<RowIterator> NewIterator() const override {
    return std::make_unique<Iterator>(rows_.get());
  }

 private:
  class Iterator : public RowIterator {
   public:
    explicit Iterator(const Rows* rows) : rows_(rows), at_(rows->rows.end()) {}
    void Seek(absl::string_view key) override {
      at_ = rows_->rows.lower_bound(key);
    }
    bool Valid() const override { return at_ != rows_->rows.end(); }
    void Next() override { ++at_; }
    absl::string_view key() const override { return at_->first; }
    absl::string_view value() const override { return at_->second; }
    absl::Status status() const override { return absl::OkStatus(); }

   private:
    const Rows* const rows_;
    decltype(Rows::rows)::const_iterator at_;
  };

  const std::shared_ptr<const Rows> rows_;
};

absl::Status SimulatedStore::AppendLog(Seq seq, absl::string_view record) {
  MutexLock lock(&mutex_);
  log_[seq] = std::string(record);
  return absl::OkStatus();
}

absl::Status SimulatedStore::SyncLog() {
  MutexLock lock(&mutex_);
  if (!log_.empty()) synced_through_ = log_.rbegin()->first;
  trimmed_.clear();
  return absl::OkStatus();
}

absl::Status SimulatedStore::ReadLog(
    Seq after,
    absl::FunctionRef<bool(Seq seq, absl::string_view record)> sink) {
  // The sink is called without the lock, so that it may call the store.
  Seq at = after;
  while (true) {
    std::string record;
    {
      MutexLock lock(&mutex_);
      const auto found = log_.upper_bound(at);
      if (found == log_.end()) return absl::OkStatus();
      at = found->first;
      record = found->second;
    }
    if (!sink(at, record)) return absl::OkStatus();
  }
}

absl::StatusOr<std::optional<Seq>> SimulatedStore::FirstLogSeq() {
  MutexLock lock(&mutex_);
  if (log_.empty()) return std::optional<Seq>();
  return std::optional<Seq>(log_.begin()->first);
}

absl::Status SimulatedStore::TrimLog(Seq through) {
  MutexLock lock(&mutex_);
  while (!log_.empty() && log_.begin()->first <= through) {
    trimmed_.insert(log_.extract(log_.begin()));
  }
  return absl::OkStatus();
}

absl::Status SimulatedStore::Checkpoint(RowSource* rows,
                                        absl::string_view checkpoint_record) {
  auto next = std::make_shared<Rows>();
  {
    MutexLock lock(&mutex_);
    next->rows = rows_->rows;
  }
  next->checkpoint = std::string(checkpoint_record);
  absl::string_view key;
  std::optional<absl::string_view> value;
  std::string previous;
  bool first = true;
  while (rows->Next(&key, &value)) {
    if (!first && key <= previous) {
      return absl::InvalidArgumentError("rows of a checkpoint out of order");
    }
    first = false;
    previous = std::string(key);
    if (value.has_value()) {
      next->rows[previous] = std::string(*value);
    } else {
      next->rows.erase(previous);
    }
  }
  MutexLock lock(&mutex_);
  rows_ = std::move(next);
  return absl::OkStatus();
}

std::shared_ptr<const StoreSnapshot> SimulatedStore::Snapshot() {
  MutexLock lock(&mutex_);
  return std::make_shared<FrozenSnapshot>(rows_);
}

absl::Status SimulatedStore::PutMeta(absl::string_view name,
                                     absl::string_view value) {
  MutexLock lock(&mutex_);
  meta_[std::string(name)] = std::string(value);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> SimulatedStore::GetMeta(
    absl::string_view name) {
  MutexLock lock(&mutex_);
  const auto found = meta_.find(name);
  if (found == meta_.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

void SimulatedStore::Crash(CrashKind kind, size_t kept_unsynced) {
  MutexLock lock(&mutex_);
  if (kind == CrashKind::kProcess) return;
  auto lost = log_.upper_bound(synced_through_);
  while (kept_unsynced-- > 0 && lost != log_.end()) ++lost;
  log_.erase(lost, log_.end());
  // What is left is on the disk now.
  log_.merge(trimmed_);
  trimmed_.clear();
  if (!log_.empty()) {
    synced_through_ = std::max(synced_through_, log_.rbegin()->first);
  }
}

size_t SimulatedStore::unsynced_records() const {
  MutexLock lock(&mutex_);
  return static_cast<size_t>(
      std::distance(log_.upper_bound(synced_through_), log_.end()));
}

}  // namespace tidegate
