// One pipeline's rows and change log: the log is the truth, the overlay holds
// what changed since the last checkpoint, and rows in the Store are that
// checkpoint. DESIGN §5.
#ifndef TIDEGATE_VIEWS_STORE_MATERIALIZED_STORE_H_
#define TIDEGATE_VIEWS_STORE_MATERIALIZED_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "views/store/commit.h"
#include "views/store/incarnation.h"
#include "views/store/read_view.h"
#include "views/store/store.h"

namespace tidegate {

struct MaterializedStoreOptions {
  // A checkpoint is due when the overlay holds this much or its oldest change
  // is this old; at the hard limit the fold waits for it.
  size_t checkpoint_bytes = 64u << 20;
  int64_t checkpoint_age_ms = 10'000;
  size_t max_overlay_bytes = 256u << 20;
  // The log keeps what is younger than this and within this many bytes; never
  // trimmed above the last checkpoint, nor below an open pin.
  int64_t log_retention_ms = 600'000;
  size_t log_retention_bytes = 1u << 30;
  // A pin older than this no longer holds the log back.
  int64_t max_pin_age_ms = 60'000;
  // A store without history that clients may know is built: see building().
  bool build = false;
  // Commits kept in memory for subscribers close to the head.
  size_t tail_bytes = 32u << 20;
  size_t tail_commits = 4096;
};

class BuildRows;

// Where a mutant steps in; the product uses the default. For tests that prove
// that the tests can fail.
struct StorePolicy {
  bool sync_log_before_checkpoint = true;
  bool build_forgets_positions = false;  // a build's commit keeps the old ones
  bool build_keeps_log_start = false;    // and says that the log has it
};

// Keeps the log from being trimmed above the position it was made at, for as
// long as it lives or max_pin_age_ms. Thread-safe.
class LogPin {
 public:
  virtual ~LogPin() = default;
};

// Thread-safe except where a method names its thread.
class MaterializedStore {
 public:
  // Recovers: reads the checkpoint, applies the log after it, then durably
  // appends a new incarnation. `incarnation_id` is kIncarnationBytes of
  // randomness; `store` must outlive this.
  static absl::StatusOr<std::unique_ptr<MaterializedStore>> Open(
      Store* store, MaterializedStoreOptions options, StorePolicy policy,
      std::string incarnation_id, ProcessingTime now);
  virtual ~MaterializedStore() = default;

  // --- the fold thread ---
  // Appends `builder`'s changes as the next commit and puts them into the
  // overlay; then the commit is visible to readers.
  virtual absl::StatusOr<std::shared_ptr<const Commit>> Append(
      CommitBuilder* builder, ProcessingTime now, int64_t first_record_ms,
      const Positions& positions) = 0;
  // What is stored for a key as of the last commit. False if nothing. The
  // views borrow until the next call of Lookup or Append.
  virtual absl::StatusOr<bool> Lookup(ViewId view, absl::string_view key,
                                      bool* has_row, absl::string_view* row,
                                      absl::string_view* state) = 0;
  // The overlay is at max_overlay_bytes: wait for a checkpoint to finish.
  virtual bool OverlayFull() const = 0;
  // While building(), instead of Append: `rows`, whose seq() is the next, are
  // the next commit, in the checkpoint alone and durable with `positions` on
  // return. The log begins after it.
  virtual absl::Status AppendBuild(BuildRows* rows, const Positions& positions);
  // Durably ends the build: from now on, commits go to the log.
  virtual absl::Status FinishBuild() { return absl::OkStatus(); }
  virtual bool build_end_wanted() const { return false; }

  // --- the checkpoint thread (the simulation calls it inline) ---
  virtual bool CheckpointDue(ProcessingTime now) const = 0;
  // Freezes the overlay at the head, syncs the log, writes the rows, and trims
  // overlay and log. A failure leaves everything as it was.
  virtual absl::Status Checkpoint(ProcessingTime now) = 0;

  // --- any thread ---
  // A first build or a rebuild, begun by Open() where no client can have been
  // given a position that this store would have to continue.
  virtual bool building() const { return false; }
  // To be called before a client is given a position: asks the fold thread to
  // end the build, which commits what is folded, and waits for it. False if
  // that takes longer.
  virtual bool EndBuild(int /*timeout_ms*/) { return true; }
  virtual Seq head() const = 0;
  virtual Seq checkpoint_seq() const = 0;
  // As of the last commit. (A function of the pipeline's own history: equal to
  // the last Commit's.)
  virtual Positions positions() const = 0;
  // Rows as of head(), overlay included.
  virtual std::shared_ptr<const ReadView> HeadView() const = 0;
  // Rows as of the last checkpoint, and a pin on the log after it. Holds no
  // overlay in memory: for whole-view snapshots.
  virtual std::shared_ptr<const ReadView> BaseView(
      ProcessingTime now, std::unique_ptr<LogPin>* pin) = 0;
  // Commits after `after`, at least one if there is any, up to about
  // `max_bytes`; from memory when near the head. OutOfRange "history trimmed"
  // if the commit after `after` is no longer kept.
  virtual absl::StatusOr<std::vector<std::shared_ptr<const Commit>>> ReadLog(
      Seq after, size_t max_bytes) const = 0;
  // The oldest position that can still be resumed from.
  virtual Seq resumable_from() const = 0;
  // Oldest first; the last one is the present.
  virtual std::vector<Incarnation> incarnations() const = 0;
  // Rough number of rows of a view that clients see.
  virtual uint64_t RowCountEstimate(ViewId view) const = 0;
  virtual size_t overlay_bytes() const = 0;
  virtual size_t log_bytes() const = 0;
};

// A stored row's value: sequence, flags, row, state.
void AppendStoredRow(Seq last_seq, const StoredEntry& entry, std::string* out);
std::string EncodeStoredRow(Seq last_seq, const StoredEntry& entry);
// The entry borrows from `bytes`.
absl::Status DecodeStoredRow(absl::string_view bytes, Seq* last_seq,
                             StoredEntry* entry);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_MATERIALIZED_STORE_H_
