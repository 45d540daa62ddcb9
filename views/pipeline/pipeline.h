// One pipeline: its views' folds over one materialized store. Pure: the fold
// loop (ingest/) hands it decoded events and tells it when to commit.
#ifndef TIDEGATE_VIEWS_PIPELINE_PIPELINE_H_
#define TIDEGATE_VIEWS_PIPELINE_PIPELINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "views/fold/event.h"
#include "views/fold/view_fold.h"
#include "views/pipeline/catalog.h"
#include "views/pipeline/divert.h"
#include "views/plan/plan.h"
#include "views/store/materialized_store.h"

namespace tidegate {

inline constexpr size_t kMaxCommitKeys = 64 << 10;
inline constexpr size_t kMaxCommitBytes = 16u << 20;

// In a build nobody waits for a commit, and each is a checkpoint of its own.
inline constexpr size_t kMaxBuildCommitKeys = kMaxCachedKeys / 2;
inline constexpr size_t kMaxBuildCommitBytes = 64u << 20;

// When a commit should come before more is folded.
struct CommitLimits {
  size_t keys = kMaxCommitKeys;    // changed ones
  size_t bytes = kMaxCommitBytes;  // of the events folded
};
inline constexpr CommitLimits kBuildCommitLimits = {kMaxBuildCommitKeys,
                                                    kMaxBuildCommitBytes};

// Runs on the fold thread.
class Pipeline {
 public:
  // Borrows all three; they must outlive the pipeline. `catalog` is the one in
  // the store.
  static absl::StatusOr<std::unique_ptr<Pipeline>> Create(
      const PlanSet* plans, const Catalog* catalog, MaterializedStore* store,
      CommitLimits limits = {}, CommitLimits build_limits = kBuildCommitLimits);
  virtual ~Pipeline() = default;

  // A source that this pipeline reads, and which of its columns to decode.
  struct Input {
    int source = 0;  // in PlanSet::sources
    std::vector<bool> used_columns;
    // Some view folds it in event-time order: hand its events to FoldOrdered
    // too, as the watermark releases them.
    bool ordered = false;
    // It bears on the watermark: a source that declares one, or a table that
    // declares one and is joined as of event time.
    bool has_watermark = false;
    std::vector<std::string> views;  // that read it, by name
  };
  // Tables first.
  virtual const std::vector<Input>& inputs() const = 0;

  // Folds one event of inputs()[input], on arrival, into every view that folds
  // on arrival; ordered views that it is too late for (time < watermark())
  // divert it. Views that did not take it are appended to `diverted`; a status
  // other than OK is fatal to the pipeline (storage).
  virtual absl::Status Fold(int input, const Event& event,
                            std::vector<Diverted>* diverted) = 0;
  // Folds it into the ordered views. Events come in EventOrder over all inputs
  // of the pipeline, each at or above watermark() and below the one that
  // Advance() is given next.
  virtual absl::Status FoldOrdered(int input, const Event& event,
                                   std::vector<Diverted>* diverted) = 0;
  // As of the last Advance(), or the store's at the start.
  virtual EventTime watermark() const = 0;
  // Moves the watermark, never back: before the commit whose positions have it.
  virtual absl::Status Advance(EventTime watermark) = 0;
  // The least watermark at which Advance() would change a row; kNeverEventTime
  // if there is none.
  virtual EventTime next_timer() const = 0;
  // Table rows that came too late for the version they belong to.
  virtual int64_t late_table_rows() const = 0;

  // A commit should come before more is folded: dirty keys or bytes are at
  // their limit (CommitLimits; while the store is building(), the build's).
  virtual bool CommitDue() const = 0;
  // Appends what changed since the last commit and the positions that belong
  // to it. Returns the commit, or null if neither rows nor positions changed.
  // While the store is building(), the commit lists no changes.
  virtual absl::StatusOr<std::shared_ptr<const Commit>> CommitPending(
      ProcessingTime now, int64_t first_record_ms,
      const Positions& positions) = 0;

  // Outputs that read NULL because their expression failed (sum out of range,
  // division by zero), since the start.
  virtual int64_t output_errors() const = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PIPELINE_PIPELINE_H_
