// One run of the whole path, from fake Kafka through fold loop and pipeline to
// the materialized store, with crashes, from a seed.
#ifndef TIDEGATE_TESTS_SIMULATION_PIPELINE_SIMULATION_H_
#define TIDEGATE_TESTS_SIMULATION_PIPELINE_SIMULATION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "base/clock.h"
#include "ingest/loop/fake_kafka.h"
#include "ingest/loop/fold_loop.h"
#include "tests/simulation/dying_store.h"
#include "tests/simulation/pipeline_model.h"
#include "views/pipeline/catalog.h"
#include "views/pipeline/pipeline.h"
#include "views/store/simulated_store.h"

namespace tidegate {

// What happened over many runs.
struct SimulationCounts {
  std::map<std::string, int> crashes;  // by step
  int64_t process_crashes = 0;
  int64_t machine_crashes = 0;
  int64_t commits = 0;
  int64_t checkpoints = 0;
  int64_t full_overlays = 0;
  int64_t build_commits = 0;
  int64_t builds_ended_by_readers = 0;
  int64_t builds_gone_on = 0;  // after a crash
  int64_t orders = 0;
  int64_t bad_records = 0;
  int64_t repeated_letters = 0;
};

// Runs on one thread.
class PipelineSimulation {
 public:
  PipelineSimulation(uint64_t seed, StorePolicy policy,
                     SimulationCounts* counts);

  // OK if at the end every view equals the model and every bad record is in
  // the dead-letter topic; else what differs.
  absl::Status Run();

 private:
  class SteppedClock final : public Clock {
   public:
    ProcessingTime Now() const override { return now; }
    ProcessingTime now{1'700'000'000'000'000};
  };

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool Dies(const std::string& step);
  void ProduceDrivers();
  void ProduceOrder();
  void Disturb();
  absl::Status Step();
  absl::Status Open();
  absl::Status TryOpen();
  absl::Status Turn();
  absl::Status Checkpoint();
  // OK if `status` is, or if it came from the crash (which then happens).
  absl::Status Survive(const absl::Status& status);
  void Crash();
  absl::Status Finish();
  bool ReadEverything() const;
  absl::Status CompareRows(const char* when) const;
  absl::Status CompareDeadLetters() const;

  std::mt19937_64 random_;
  const StorePolicy policy_;
  SimulationCounts* const counts_;
  const bool build_;
  PlanSet plans_;
  Catalog catalog_;
  PipelineModel model_;
  // Topic, partition, offset.
  std::set<std::tuple<std::string, int, int64_t>> bad_;
  int partitions_ = 1;
  std::map<int, int64_t> produced_;  // orders, by partition
  int64_t next_order_ = 0;

  SteppedClock clock_;
  FakeKafka kafka_;
  SimulatedStore disk_;
  // What one life of the process holds; the store dies last.
  int64_t steps_to_live_ = 0;  // 0: it does not crash
  bool alive_ = false;
  uint64_t lives_ = 0;
  std::unique_ptr<DyingStore> dying_;
  std::unique_ptr<MaterializedStore> store_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<RecordReader> reader_;
  std::unique_ptr<DeadLetterWriter> writer_;
  std::unique_ptr<FoldLoop> loop_;
};

}  // namespace tidegate

#endif  // TIDEGATE_TESTS_SIMULATION_PIPELINE_SIMULATION_H_
