// What the gateway sees of the running views: the seam between folding and
// serving. cmd/ fills it; ingest/ publishes into it.
#ifndef TIDEGATE_VIEWS_PIPELINE_VIEW_HUB_H_
#define TIDEGATE_VIEWS_PIPELINE_VIEW_HUB_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "views/pipeline/catalog.h"
#include "views/store/materialized_store.h"

namespace tidegate {

// Why a partition's watermark stands where it does.
enum class PartitionState : uint8_t {
  kActive,          // records come, or may come at any time
  kIdle,            // at its end for idle.timeout: holds nothing back
  kNoEvents,        // no record so far, and not idle yet
  kError,           // its leader does not answer
  kUnread,          // left unread: the reorder buffer is full of it
  kReplaying,       // reading again, after a start, what the buffer had held
  kAwaitingSchema,  // its next record's schema has not come from the registry
};
// "active", "idle", "no_events", "error", "unread", "replaying",
// "awaiting_schema".
absl::string_view PartitionStateName(PartitionState state);

struct PartitionWatermark {
  std::string topic;
  PartitionId partition;
  EventTime watermark = kNoEventTime;  // max(event time) - bound
  PartitionState state = PartitionState::kNoEvents;
  bool holds_back = false;  // the pipeline's watermark waits for this one
};

// A request waits so long for a build to end; the client then tries again.
inline constexpr int kMaxBuildEndWaitMs = 250;

// One pipeline as it is served. Thread-safe.
class ServedPipeline {
 public:
  ServedPipeline(std::string name, const Catalog* catalog,
                 MaterializedStore* store)
      : name_(std::move(name)), catalog_(catalog), store_(store) {}

  const std::string& name() const { return name_; }
  const Catalog& catalog() const { return *catalog_; }
  MaterializedStore& store() const { return *store_; }

  // OK while it folds and serves. Unavailable while it starts (tables being
  // read, a rebuild under way: the message says how far), FailedPrecondition
  // once it has stopped, with instructions.
  absl::Status status() const;
  void SetStatus(const absl::Status& status);
  // Before a client is given rows or a position of this pipeline. Ends a build,
  // which takes a turn of the fold and a checkpoint, once. Unavailable if that
  // takes longer than kMaxBuildEndWaitMs; only the first caller waits so long,
  // since it may be the thread that serves everybody.
  absl::Status EndBuild();

  // By topic, then partition; of those that bear on the watermark. As of the
  // last time the fold loop looked, some 100 ms ago at most while it runs.
  std::vector<PartitionWatermark> watermarks() const;
  void SetWatermarks(std::vector<PartitionWatermark> watermarks);

  // Called after every commit, on the committing thread, and after SetStatus:
  // must be quick and not call back. Add before the pipeline starts.
  void AddListener(std::function<void()> listener);
  void NotifyCommitted();

 private:
  const std::string name_;
  const Catalog* const catalog_;
  MaterializedStore* const store_;
  std::atomic<bool> build_end_asked_{false};
  mutable Mutex mutex_;
  // In parts, so that no two threads share the counted body of one Status:
  // ThreadSanitizer cannot see how Debian's uninstrumented absl counts it.
  absl::StatusCode status_code_ ABSL_GUARDED_BY(mutex_) =
      absl::StatusCode::kUnavailable;
  std::string status_message_ ABSL_GUARDED_BY(mutex_) = "starting";
  std::vector<PartitionWatermark> watermarks_ ABSL_GUARDED_BY(mutex_);
  // Replaced whole, so that listeners are called without the lock.
  std::shared_ptr<const std::vector<std::function<void()>>> listeners_
      ABSL_GUARDED_BY(mutex_) =
          std::make_shared<const std::vector<std::function<void()>>>();
};

// Every view that clients may name. Immutable after the composition root has
// filled it; then thread-safe.
class ViewHub {
 public:
  struct View {
    ServedPipeline* pipeline = nullptr;
    const CatalogView* view = nullptr;
  };
  // Adds the pipeline's public views.
  void Add(ServedPipeline* pipeline);
  // Null if there is no such view.
  const View* Find(absl::string_view name) const;
  const std::vector<View>& views() const { return views_; }  // by name
  const std::vector<ServedPipeline*>& pipelines() const { return pipelines_; }
  // NotFound: `no view "ordres", did you mean "orders"?`, or what there is.
  absl::Status NoSuchView(absl::string_view name) const;

 private:
  std::vector<View> views_;
  std::vector<ServedPipeline*> pipelines_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PIPELINE_VIEW_HUB_H_
