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
#include "base/ids.h"
#include "views/fold/event.h"
#include "views/pipeline/catalog.h"
#include "views/plan/plan.h"
#include "views/store/materialized_store.h"

namespace tidegate {

// An event that a view's expressions could not take: the event goes to the
// dead-letter topic, naming the views.
struct Diverted {
  std::string view;
  absl::Status reason;
};

// Runs on the fold thread.
class Pipeline {
 public:
  // Borrows all three; they must outlive the pipeline. `catalog` is the one in
  // the store.
  static absl::StatusOr<std::unique_ptr<Pipeline>> Create(
      const PlanSet* plans, const Catalog* catalog, MaterializedStore* store);
  virtual ~Pipeline() = default;

  // A source that this pipeline reads, and which of its columns to decode.
  struct Input {
    int source = 0;  // in PlanSet::sources
    std::vector<bool> used_columns;
  };
  // Tables first.
  virtual const std::vector<Input>& inputs() const = 0;

  // Folds one event of inputs()[input] into every view that reads it. Views
  // that could not take it are appended to `diverted`; a status other than OK
  // is fatal to the pipeline (storage).
  virtual absl::Status Fold(int input, const Event& event,
                            std::vector<Diverted>* diverted) = 0;

  // A commit should come before more is folded: dirty keys or bytes are at
  // their limit (kMaxCommitKeys, kMaxCommitBytes).
  virtual bool CommitDue() const = 0;
  // Appends what changed since the last commit and the positions that belong
  // to it. Returns the commit, or null if neither rows nor positions changed.
  virtual absl::StatusOr<std::shared_ptr<const Commit>> CommitPending(
      ProcessingTime now, int64_t first_record_ms,
      const Positions& positions) = 0;

  // Outputs that read NULL because their expression failed (sum out of range,
  // division by zero), since the start.
  virtual int64_t output_errors() const = 0;
};

inline constexpr size_t kMaxCommitKeys = 16 << 10;
inline constexpr size_t kMaxCommitBytes = 4u << 20;

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PIPELINE_PIPELINE_H_
