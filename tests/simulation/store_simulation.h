// Fold, log, overlay and checkpoint in one thread from a seed, with crashes at
// every step, held against a model.
#ifndef TIDEGATE_TESTS_SIMULATION_STORE_SIMULATION_H_
#define TIDEGATE_TESTS_SIMULATION_STORE_SIMULATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/simulation/crashable_store.h"
#include "tests/simulation/order_model.h"
#include "views/pipeline/catalog.h"
#include "views/pipeline/pipeline.h"
#include "views/store/materialized_store.h"
#include "views/store/simulated_store.h"

namespace tidegate {

// A machine with a disk.
class SimulatedMachine {
 public:
  virtual ~SimulatedMachine() = default;
  // Opens the store on the disk; it lives until the next crash.
  virtual absl::StatusOr<Store*> Open() = 0;
  // Closes the store without its help. After a crash of the machine, what is
  // left of unsynced writes is drawn from `random`.
  virtual void Crash(CrashKind kind, std::mt19937_64* random) = 0;
  // Makes the machine stop in the middle of what the store does from now on;
  // false if this one cannot.
  virtual bool ArmInside(std::mt19937_64* /*random*/) { return false; }
  virtual bool stopped() const { return false; }
};

// What many runs did; a run that does not crash proves nothing.
struct SimulationCounts {
  CrashCounts process_crashes = {};
  CrashCounts machine_crashes = {};
  uint64_t commits = 0;
  uint64_t lost_commits = 0;  // by machine crashes
  uint64_t build_commits = 0;
  uint64_t builds_ended = 0;
  uint64_t checkpoints = 0;
  uint64_t trims = 0;
  uint64_t resumes = 0;  // from a position in the log
  uint64_t tokens_honoured = 0;
  uint64_t tokens_refused = 0;
  uint64_t held_views = 0;
};
void PrintCounts(const SimulationCounts& counts);

// One run. Thread-compatible.
class StoreSimulation {
 public:
  StoreSimulation(uint64_t seed, SimulatedMachine* machine, StorePolicy policy,
                  SimulationCounts* counts);
  ~StoreSimulation();
  // The first thing that was wrong, if any.
  absl::Status Run();

 private:
  using ViewRows = std::map<std::string, std::string>;  // as stored
  using AllRows = std::map<ViewId, ViewRows>;
  // A commit of the present history; `id` tells it from others that had its
  // number in a history that was lost.
  struct Known {
    uint64_t id = 0;
    AllRows rows;
  };
  struct Token {
    std::string incarnation;
    Seq seq;
    uint64_t id = 0;
  };
  struct HeldView {
    std::shared_ptr<const ReadView> view;
    AllRows rows;
  };

  absl::Status Start();
  absl::Status StartPipeline(Store* store);
  absl::Status LearnAfterStart();
  absl::Status Live(int actions);
  absl::Status Act();
  absl::Status FoldSome();
  absl::Status FoldOne(int partition);
  absl::Status Commit();
  absl::Status CrashNow();
  bool crashed() const { return store_->dead() || machine_->stopped(); }
  void ArmSomeStep();
  uint64_t Random(uint64_t below) { return random_() % below; }
  ProcessingTime Now();

  absl::Status CheckRows();
  absl::Status CheckTokens();
  absl::Status CheckHeldViews();
  absl::Status CheckResume();
  absl::StatusOr<AllRows> ReadRows(const ReadView& view) const;
  absl::Status Replay(Seq after, AllRows* rows) const;

  const uint64_t seed_;
  SimulatedMachine* const machine_;
  const StorePolicy policy_;
  SimulationCounts* const counts_;
  std::mt19937_64 random_;
  const OrderTopics topics_;
  MaterializedStoreOptions options_;
  int64_t now_ms_ = 0;
  uint64_t starts_ = 0;
  uint64_t next_id_ = 1;
  CrashStep armed_ = CrashStep::kBetween;

  std::unique_ptr<CrashableStore> store_;
  std::unique_ptr<MaterializedStore> rows_;
  std::unique_ptr<Pipeline> pipeline_;
  std::array<int64_t, OrderTopics::kPartitions> next_ = {};
  std::unique_ptr<OrderModel> model_;
  std::map<uint64_t, Known> history_;  // by sequence
  std::vector<Token> tokens_;
  std::vector<HeldView> held_;
};

// Runs seeds 1 to `count`, or only that of TIDEGATE_SEED. The status names the
// first seed that failed.
absl::Status RunSeeds(
    uint64_t count, StorePolicy policy,
    const std::function<std::unique_ptr<SimulatedMachine>()>& make_machine,
    SimulationCounts* counts);

}  // namespace tidegate

#endif  // TIDEGATE_TESTS_SIMULATION_STORE_SIMULATION_H_
