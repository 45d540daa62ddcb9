// One run of the whole path in event time, from fake Kafka through fold loop,
// folds and store to subscribers, with crashes, from a seed.
#ifndef TIDEGATE_TESTS_SIMULATION_EVENT_TIME_SIMULATION_H_
#define TIDEGATE_TESTS_SIMULATION_EVENT_TIME_SIMULATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "ingest/loop/fake_kafka.h"
#include "ingest/loop/fold_loop.h"
#include "tests/simulation/event_time_model.h"
#include "tests/simulation/event_time_records.h"
#include "tests/simulation/recording_seams.h"
#include "tests/simulation/simulated_subscriber.h"
#include "views/pipeline/catalog.h"
#include "views/pipeline/pipeline.h"
#include "views/store/simulated_store.h"

namespace tidegate::simulation {

// Where a mutant steps in.
struct Mutant {
  StorePolicy store;
  FoldLoopPolicy loop;
  // Changes the plans that the product runs; the model keeps the SQL's.
  std::function<void(PlanSet*)> alter;
};

// What happened over many runs.
struct EventTimeCounts {
  std::map<std::string, int64_t> crashes;   // by step
  std::map<std::string, int64_t> refusals;  // by reason
  std::map<std::string, int64_t> features;  // runs with a view that has it
  int64_t runs = 0;
  int64_t orderly_runs = 0;
  int64_t process_crashes = 0;
  int64_t machine_crashes = 0;
  int64_t vain_starts = 0;  // the broker was away
  int64_t commits = 0;
  int64_t lost_commits = 0;
  int64_t split_turns = 0;  // of more than one commit
  int64_t checkpoints = 0;
  int64_t records = 0;
  int64_t reread = 0;  // records handed over again
  int64_t diverted = 0;
  int64_t replays = 0;
  int64_t windows_closed = 0;
  int64_t corrected = 0;
  int64_t rows = 0;
  int64_t comparisons = 0;
  int64_t resumes = 0;
  int64_t resets = 0;
  int64_t unread = 0;
  int64_t spilled = 0;
  int64_t late_table_rows = 0;
  int64_t partitions_added = 0;
  int64_t partitions_down = 0;
  int64_t broker_away = 0;
  int64_t letters_held = 0;
  int64_t repeated_letters = 0;
};

// Runs on one thread.
class EventTimeSimulation {
 public:
  // `mutant` must outlive it.
  EventTimeSimulation(uint64_t seed, const Mutant* mutant,
                      EventTimeCounts* counts);
  ~EventTimeSimulation();

  // OK if views, verdicts, watermarks, dead letters and subscribers were the
  // model's at every look; else what differs.
  absl::Status Run();
  const std::string& sql() const { return world_.sql; }

 private:
  class SteppedClock final : public Clock {
   public:
    ProcessingTime Now() const override { return now; }
    ProcessingTime now{1'700'000'000'000'000};
  };

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  bool Dies(const std::string& step);
  void Tick(int64_t us) {
    clock_.now = ProcessingTime(clock_.now.value() + us);
  }
  int64_t RandomTick();

  absl::Status Compile();
  void CountFeatures();
  void Produce();
  void Disturb();
  void AddPartition();
  absl::Status Step();
  absl::Status LiveStep();
  absl::Status Open();
  absl::Status TryOpen();
  absl::Status OpenLoop();
  absl::Status Turn();
  absl::Status Checkpoint();
  absl::Status Serve();
  // OK if `status` is, or if it came from the crash (which then happens).
  absl::Status Survive(const absl::Status& status);
  absl::Status Crash();
  absl::Status EndLife();
  // After a crash: what of the journal is still true.
  void RollBack(Seq head);

  void Heal();
  absl::Status Finish();
  absl::Status Settle();
  bool ReadEverything() const;
  Journal Committed() const;
  absl::Status Compare(const char* when);
  absl::Status CompareView(const CatalogView& view, const BatchRows& wanted,
                           const std::vector<bool>& rounded);
  absl::Status ComparePermitted();
  absl::Status CompareLetters();
  absl::Status FinishSubscribers();
  void CountSubscribers();

  std::mt19937_64 random_;
  const Mutant& mutant_;
  EventTimeCounts* const counts_;
  const SimWorld world_;
  EventTraits traits_;
  SteppedClock clock_;
  FakeKafka kafka_;
  RecordMaker records_;
  PlanSet plans_;
  Catalog catalog_;
  MaterializedStoreOptions store_options_;
  FoldLoopOptions loop_options_;
  CommitLimits limits_;

  Journal journal_;
  // Refusals of lives that were lost: letters of theirs may be there.
  std::set<Refusal> permitted_;
  StateBook states_;
  std::vector<std::unique_ptr<SimulatedSubscriber>> subscribers_;

  SimulatedStore disk_;
  // What one life of the process holds; the store dies last.
  int64_t steps_to_live_ = 0;  // 0: it does not crash
  bool dead_ = false;
  bool alive_ = false;
  bool rolled_back_ = true;
  uint64_t lives_ = 0;
  std::unique_ptr<RecordingStore> dying_;
  std::unique_ptr<MaterializedStore> store_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<RecordingReader> reader_;
  std::unique_ptr<DyingWriter> writer_;
  std::unique_ptr<DyingSpill> spill_;
  std::unique_ptr<FoldLoop> loop_;
};

}  // namespace tidegate::simulation

#endif  // TIDEGATE_TESTS_SIMULATION_EVENT_TIME_SIMULATION_H_
