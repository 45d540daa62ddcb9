// What a start finds in a Store: the checkpoint and the log after it.
#ifndef TIDEGATE_VIEWS_STORE_RECOVERY_H_
#define TIDEGATE_VIEWS_STORE_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "views/store/checkpoint_record.h"
#include "views/store/commit.h"
#include "views/store/incarnation.h"
#include "views/store/log_marks.h"
#include "views/store/materialized_store.h"
#include "views/store/store.h"
#include "views/store/store_version.h"

namespace tidegate {

// The newest commits, contiguous, within a limit. Thread-compatible.
class CommitTail {
 public:
  CommitTail(size_t max_bytes, size_t max_commits)
      : max_bytes_(max_bytes), max_commits_(max_commits) {}
  void Add(std::shared_ptr<const Commit> commit);
  // Commits after `after`, at least one, up to about `max_bytes`. False if the
  // commit after `after` is not here.
  bool Read(Seq after, size_t max_bytes,
            std::vector<std::shared_ptr<const Commit>>* out) const;

 private:
  const size_t max_bytes_;
  const size_t max_commits_;
  std::deque<std::shared_ptr<const Commit>> commits_;
  size_t bytes_ = 0;
};

// What a commit takes in memory.
size_t CommitBytes(const Commit& commit);

// What `commit` did to the numbers of rows that clients see.
using RowCountChanges = std::map<ViewId, int64_t>;
RowCountChanges CountRows(const Commit& commit);
void AddRows(const RowCountChanges& changes, RowCounts* counts);

// Everything of a pipeline's store that is kept in memory.
struct StoreState {
  explicit StoreState(const MaterializedStoreOptions& options)
      : tail(options.tail_bytes, options.tail_commits) {}
  StoreVersion version;
  Positions positions;
  RowCounts row_counts;
  LogMarks log_marks;
  Seq log_trimmed;  // the log is kept after this commit
  CommitTail tail;
  // When the first commit after the checkpoint was made.
  std::optional<ProcessingTime> uncheckpointed_since;
};

// Reads the checkpoint and applies the log after it. DataLoss if the log has a
// gap or ends below the checkpoint.
absl::StatusOr<StoreState> Recover(Store* store,
                                   const MaterializedStoreOptions& options);

// Whether the store has no history yet that a client may know: there is none,
// or builds alone made it, whose end was not noted.
absl::StatusOr<bool> MayBuild(Store* store, const StoreState& state);
// Notes that clients may know the history.
absl::Status NoteBuilt(Store* store);

// Durably appends a start whose commits begin after `head`, and returns the
// whole list. What is in the log is synced first: numbers up to `head` must
// not be given out again.
absl::StatusOr<std::vector<Incarnation>> AppendIncarnation(Store* store,
                                                           std::string id,
                                                           Seq head);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_RECOVERY_H_
