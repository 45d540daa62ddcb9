// A MaterializedStore for tests: every state it ever had stays in memory, so a
// test can ask what was true at any position, trim at will and lose a tail.
#ifndef TIDEGATE_GATEWAY_CORE_FAKE_STORE_H_
#define TIDEGATE_GATEWAY_CORE_FAKE_STORE_H_

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "gateway/core/finality.h"
#include "views/store/materialized_store.h"

namespace tidegate {

// Rows by memcomparable key.
using ModelRows = std::map<std::string, std::string, std::less<>>;
struct ModelState {
  std::map<ViewId, ModelRows> rows;
  // Keys of rows that were amended after their windows had closed.
  std::map<ViewId, std::set<std::string, std::less<>>> corrected;
  // The commit that last touched each row that there is.
  std::map<std::pair<ViewId, std::string>, Seq> touched;
};

class FakeReadView : public ReadView {
 public:
  FakeReadView(Seq seq, std::shared_ptr<const ModelState> state)
      : seq_(seq), state_(std::move(state)) {}
  Seq seq() const override { return seq_; }
  EventTime watermark() const override {
    return EventTime(static_cast<int64_t>(seq_.value()));
  }
  absl::StatusOr<bool> GetRow(ViewId view, absl::string_view key,
                              std::string* row, bool* corrected,
                              Seq* last_seq) const override {
    const ModelRows& rows = Rows(view);
    const auto at = rows.find(key);
    if (at == rows.end()) return false;
    *row = at->second;
    if (last_seq != nullptr) {
      *last_seq = state_->touched.at({view, std::string(key)});
    }
    if (corrected != nullptr) *corrected = Corrected(view, key);
    return true;
  }
  std::unique_ptr<ViewIterator> NewIterator(ViewId view,
                                            Which which) const override;
  const ModelRows& Rows(ViewId view) const {
    static const ModelRows none;
    const auto at = state_->rows.find(view);
    return at == state_->rows.end() ? none : at->second;
  }
  bool Corrected(ViewId view, absl::string_view key) const {
    const auto at = state_->corrected.find(view);
    return at != state_->corrected.end() && at->second.count(key) > 0;
  }

 private:
  const Seq seq_;
  const std::shared_ptr<const ModelState> state_;
};

class FakeViewIterator : public ViewIterator {
 public:
  FakeViewIterator(std::shared_ptr<const FakeReadView> view, ViewId id)
      : view_(std::move(view)),
        id_(id),
        rows_(view_->Rows(id)),
        at_(rows_.end()) {}
  void Seek(absl::string_view key) override {
    at_ = rows_.lower_bound(key);
    Load();
  }
  bool Valid() const override { return at_ != rows_.end(); }
  void Next() override {
    ++at_;
    Load();
  }
  absl::string_view key() const override { return at_->first; }
  const StoredEntry& entry() const override { return entry_; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  void Load() {
    if (!Valid()) return;
    entry_ = {true, view_->Corrected(id_, at_->first), at_->second, "s"};
  }

  const std::shared_ptr<const FakeReadView> view_;
  const ViewId id_;
  const ModelRows& rows_;
  ModelRows::const_iterator at_;
  StoredEntry entry_;
};

inline std::unique_ptr<ViewIterator> FakeReadView::NewIterator(
    ViewId view, Which /*which*/) const {
  return std::make_unique<FakeViewIterator>(
      std::static_pointer_cast<const FakeReadView>(shared_from_this()), view);
}

// Thread-safe. The watermark of commit N is N; rows with a window are marked
// corrected as a fold would mark them: by a commit after the one that closed
// their windows.
class FakeStore : public MaterializedStore {
 public:
  explicit FakeStore(std::string incarnation = std::string(16, 'A'),
                     WindowEnd window = {})
      : window_(window) {
    incarnations_.push_back({std::move(incarnation), Seq(1)});
    states_.push_back(std::make_shared<const ModelState>());
  }

  // A change of one view's rows; nullopt deletes.
  using Batch =
      std::map<std::pair<ViewId, std::string>, std::optional<std::string>>;
  void Commit(const Batch& batch, ProcessingTime now) {
    MutexLock lock(&mutex_);
    auto next = std::make_shared<ModelState>(*states_.back());
    const EventTime last(static_cast<int64_t>(states_.size() - 1));
    CommitBuilder builder;
    for (const auto& [where, row] : batch) {
      ModelRows& rows = next->rows[where.first];
      auto& corrected = next->corrected[where.first];
      const auto at = rows.find(where.second);
      Change change;
      change.view = where.first;
      change.key = where.second;
      const std::string before = at == rows.end() ? "" : at->second;
      change.has_before = at != rows.end();
      change.before = before;
      change.has_after = row.has_value();
      if (row) change.after = *row;
      change.state = "s";
      if (row && FinalityOf(window_, *row, false, last) == Finality::kFinal) {
        corrected.insert(where.second);
      }
      if (!row) corrected.erase(where.second);
      change.corrected = corrected.count(where.second) > 0;
      builder.Add(change);
      if (row) {
        rows[where.second] = *row;
        next->touched[where] = Seq(states_.size());
      } else if (at != rows.end()) {
        rows.erase(at);
      }
    }
    const Seq seq(states_.size());
    Positions positions;
    positions.watermark = EventTime(static_cast<int64_t>(seq.value()));
    const int64_t first_record_ms = now.value() / 1000;
    auto commit = tidegate::Commit::Parse(
        builder.Finish(seq, now, first_record_ms, positions));
    if (!commit.ok()) std::abort();
    log_.push_back(*std::move(commit));
    states_.push_back(std::move(next));
  }
  // As a checkpoint at the head does.
  void MoveBase() {
    MutexLock lock(&mutex_);
    base_ = states_.size() - 1;
  }
  // Forgets commits through `seq`; the base must be there already.
  void Trim(Seq seq) {
    MutexLock lock(&mutex_);
    trimmed_ = std::max<size_t>(trimmed_, std::min<size_t>(seq.value(), base_));
  }
  // A restart that lost the last `lost` commits, none of the base.
  void Restart(std::string incarnation, size_t lost) {
    MutexLock lock(&mutex_);
    lost = std::min(lost, states_.size() - 1 - base_);
    states_.resize(states_.size() - lost);
    log_.resize(log_.size() - lost);
    incarnations_.push_back({std::move(incarnation), Seq(states_.size())});
  }
  std::shared_ptr<const FakeReadView> At(Seq seq) const {
    MutexLock lock(&mutex_);
    return std::make_shared<FakeReadView>(seq, states_.at(seq.value()));
  }

  Seq head() const override {
    MutexLock lock(&mutex_);
    return Seq(states_.size() - 1);
  }
  Seq checkpoint_seq() const override {
    MutexLock lock(&mutex_);
    return Seq(base_);
  }
  std::shared_ptr<const ReadView> HeadView() const override {
    return At(head());
  }
  std::shared_ptr<const ReadView> BaseView(
      ProcessingTime, std::unique_ptr<LogPin>* pin) override {
    *pin = std::make_unique<LogPin>();
    return At(checkpoint_seq());
  }
  absl::StatusOr<std::vector<std::shared_ptr<const tidegate::Commit>>> ReadLog(
      Seq after, size_t max_bytes) const override {
    MutexLock lock(&mutex_);
    ++log_reads_;
    if (after.value() < trimmed_) {
      return absl::OutOfRangeError("history trimmed");
    }
    std::vector<std::shared_ptr<const tidegate::Commit>> commits;
    size_t bytes = 0;
    for (size_t i = after.value(); i < log_.size(); ++i) {
      if (!commits.empty() && bytes >= max_bytes) break;
      commits.push_back(log_[i]);
      bytes += log_[i]->record().size();
    }
    return commits;
  }
  int64_t log_reads() const {
    MutexLock lock(&mutex_);
    return log_reads_;
  }
  Seq resumable_from() const override {
    MutexLock lock(&mutex_);
    return Seq(trimmed_);
  }
  std::vector<Incarnation> incarnations() const override {
    MutexLock lock(&mutex_);
    return incarnations_;
  }
  uint64_t RowCountEstimate(ViewId view) const override {
    return At(head())->Rows(view).size();
  }
  Positions positions() const override {
    Positions positions;
    positions.watermark = EventTime(static_cast<int64_t>(head().value()));
    return positions;
  }
  size_t overlay_bytes() const override { return 111; }
  size_t log_bytes() const override { return 222; }

  // Not for tests of readers.
  absl::StatusOr<std::shared_ptr<const tidegate::Commit>> Append(
      CommitBuilder*, ProcessingTime, int64_t, const Positions&) override {
    return absl::UnimplementedError("fake");
  }
  absl::StatusOr<bool> Lookup(ViewId, absl::string_view, bool*,
                              absl::string_view*, absl::string_view*) override {
    return absl::UnimplementedError("fake");
  }
  bool OverlayFull() const override { return false; }
  bool CheckpointDue(ProcessingTime) const override { return false; }
  absl::Status Checkpoint(ProcessingTime) override {
    return absl::UnimplementedError("fake");
  }

 private:
  const WindowEnd window_;
  mutable Mutex mutex_;
  // log_[i] is commit i + 1, states_[i] what was true at i.
  std::vector<std::shared_ptr<const tidegate::Commit>> log_
      ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const ModelState>> states_
      ABSL_GUARDED_BY(mutex_);
  std::vector<Incarnation> incarnations_ ABSL_GUARDED_BY(mutex_);
  size_t base_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t trimmed_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable int64_t log_reads_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_FAKE_STORE_H_
