#include "tests/simulation/store_simulation.h"

#include <chrono>
#include <cstdio>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr uint64_t kSeeds = 1000;

class MemoryMachine : public SimulatedMachine {
 public:
  absl::StatusOr<Store*> Open() override { return &store_; }
  void Crash(CrashKind kind, std::mt19937_64* random) override {
    store_.Crash(kind, (*random)() % (store_.unsynced_records() + 1));
  }

 private:
  SimulatedStore store_;
};

std::unique_ptr<SimulatedMachine> MakeMachine() {
  return std::make_unique<MemoryMachine>();
}

TEST(StoreSimulation, EverySeedEqualsTheModel) {
  SimulationCounts counts;
  const absl::Status status =
      RunSeeds(kSeeds, StorePolicy(), MakeMachine, &counts);
  ASSERT_TRUE(status.ok()) << status;
  PrintCounts(counts);
  if (std::getenv("TIDEGATE_SEED") != nullptr) return;
  for (size_t step = 0; step < kCrashSteps; ++step) {
    if (step == static_cast<size_t>(CrashStep::kInside)) continue;
    EXPECT_GT(counts.process_crashes[step], 0u) << step;
    EXPECT_GT(counts.machine_crashes[step], 0u) << step;
  }
  EXPECT_GT(counts.lost_commits, 0u);
  EXPECT_GT(counts.build_commits, 0u);
  EXPECT_GT(counts.builds_ended, 0u);
  EXPECT_GT(counts.trims, 0u);
  EXPECT_GT(counts.resumes, 0u);
  EXPECT_GT(counts.tokens_honoured, 0u);
  EXPECT_GT(counts.tokens_refused, 0u);
  EXPECT_GT(counts.held_views, 0u);
}

// A simulation that cannot fail proves nothing.
TEST(StoreSimulation, AStoreThatSkipsTheSyncIsCaught) {
  SimulationCounts counts;
  StorePolicy mutant;
  mutant.sync_log_before_checkpoint = false;
  const absl::Status status = RunSeeds(kSeeds, mutant, MakeMachine, &counts);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  std::printf("caught: %s\n", status.ToString().c_str());
}

TEST(StoreSimulation, ABuildThatForgetsPositionsIsCaught) {
  SimulationCounts counts;
  StorePolicy mutant;
  mutant.build_forgets_positions = true;
  const absl::Status status = RunSeeds(kSeeds, mutant, MakeMachine, &counts);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  std::printf("caught: %s\n", status.ToString().c_str());
}

}  // namespace
}  // namespace tidegate
