// Whom the commits of the pipelines concern: told once of each commit, it finds
// the watches and lets the others skip it.
#ifndef TIDEGATE_GATEWAY_CORE_WATCH_INDEX_H_
#define TIDEGATE_GATEWAY_CORE_WATCH_INDEX_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "gateway/core/key_index.h"
#include "gateway/core/range_cache.h"
#include "gateway/core/snapshot_feed.h"
#include "gateway/core/stats.h"
#include "gateway/core/stream.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

// Of the fan-out's thread.
class WatchIndex : public WatchRegistry {
 public:
  // With `counts_commits` the pipelines' statistics are kept here.
  // Snapshots are read by `work`, if it has a `run`.
  WatchIndex(const ViewHub* hub, GatewayStats* stats, size_t max_watches,
             bool counts_commits, const SnapshotWork& work);

  absl::Status Add(Watch* watch) override;
  void Remove(Watch* watch) override;
  void AddKey(Watch* watch, absl::string_view key) override;
  void RemoveKey(Watch* watch, absl::string_view key) override;
  void SkipIdle(Watch* watch) override;
  RangeCache* ranges(const ServedPipeline* pipeline) override {
    return StateOf(pipeline).ranges.get();
  }
  SnapshotFeeds* feeds(const ServedPipeline* pipeline) override {
    return StateOf(pipeline).feeds.get();
  }

  // Ends snapshots' feeds that are over; when to call it again, at most
  // `never`.
  ProcessingTime TendFeeds(ProcessingTime now, ProcessingTime never);
  // Reads what has been committed since the last call and calls `woken` for
  // every watch that it concerns, and for those of a pipeline that has stopped,
  // after each has been told what it may skip. `woken` may not change the
  // index.
  void Tell(absl::FunctionRef<void(Watch*)> woken);

 private:
  struct PipelineState {
    ServedPipeline* pipeline = nullptr;
    PipelineStats* stats = nullptr;
    KeyIndex<Watch*> index;
    std::unique_ptr<RangeCache> ranges = std::make_unique<RangeCache>();
    std::unique_ptr<SnapshotFeeds> feeds;
    // The last commit that everyone concerned was told of.
    Seq told;
    EventTime watermark = kNoEventTime;
    bool stopped = false;
  };
  PipelineState& StateOf(const ServedPipeline* pipeline);
  void TellCommits(PipelineState* state, absl::FunctionRef<void(Watch*)> woken);
  void TellStopped(PipelineState* state, absl::FunctionRef<void(Watch*)> woken);
  void Count(PipelineState* state,
             const std::vector<std::shared_ptr<const Commit>>& commits) const;

  const size_t max_watches_;
  const bool counts_commits_;
  std::vector<PipelineState> pipelines_;  // as in the hub
  absl::flat_hash_set<Watch*> watches_;
  absl::flat_hash_set<Watch*> concerned_;  // scratch
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_WATCH_INDEX_H_
