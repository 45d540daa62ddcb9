// One pipeline at work: its store, its fold thread and its checkpoint thread.
#ifndef TIDEGATE_CMD_TIDEGATE_PIPELINE_RUNNER_H_
#define TIDEGATE_CMD_TIDEGATE_PIPELINE_RUNNER_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "ingest/loop/fold_loop.h"
#include "views/pipeline/view_hub.h"
#include "views/plan/plan.h"
#include "views/store/materialized_store.h"

namespace tidegate {

struct PipelineRunnerOptions {
  std::string name;
  const PlanSet* plans = nullptr;  // borrowed
  std::string base_dir;            // of relative .proto paths
  std::string data_dir;
  std::map<std::string, std::string> kafka;  // librdkafka's properties
  SchemaRegistries* registries = nullptr;    // borrowed
  MaterializedStoreOptions store;
  FoldLoopOptions loop;
  // Build anew beside what is there, and take its place once caught up.
  bool rebuild = false;
  const Clock* clock = Clock::System();
};

// Made and ended on one thread; the rest is thread-safe.
class PipelineRunner {
 public:
  // Opens the store and recovers. FailedPrecondition if it holds the results
  // of other definitions and `rebuild` is not set.
  static absl::StatusOr<std::unique_ptr<PipelineRunner>> Open(
      PipelineRunnerOptions options);
  virtual ~PipelineRunner() = default;

  virtual ServedPipeline* served() = 0;
  // Starts the threads.
  virtual void Start() = 0;
  // Asks the threads to end and does not wait: with the broker away that takes
  // a request's timeout, which several pipelines then share.
  virtual void BeginStop() = 0;
  // Stops folding, writes a last checkpoint, ends the threads. Call before the
  // destructor. Later calls do nothing.
  virtual void Stop() = 0;

  // It has folded and served at some time since Start().
  virtual bool was_up() const = 0;
  // It has stopped by itself: served()->status() says why.
  virtual bool failed() const = 0;
  virtual const FoldLoop& loop() const = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_PIPELINE_RUNNER_H_
