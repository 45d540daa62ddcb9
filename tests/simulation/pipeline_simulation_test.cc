// Crashes at every step of a commit, a checkpoint and a start never change what
// the views show in the end. TIDEGATE_SEED=N runs one seed.
#include "tests/simulation/pipeline_simulation.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "absl/strings/numbers.h"
#include "base/log.h"

namespace tidegate {
namespace {

constexpr uint64_t kSeeds = 1000;
constexpr uint64_t kMutantSeeds = 300;

void Print(const SimulationCounts& counts) {
  for (const auto& [step, count] : counts.crashes) {
    std::printf("crashes %-20s %d\n", step.c_str(), count);
  }
  std::printf(
      "process crashes %ld, machine crashes %ld, commits %ld, checkpoints %ld, "
      "full overlays %ld, build commits %ld, builds ended by readers %ld, gone "
      "on %ld, orders %ld, bad %ld, letters repeated %ld\n",
      static_cast<long>(counts.process_crashes),
      static_cast<long>(counts.machine_crashes),
      static_cast<long>(counts.commits), static_cast<long>(counts.checkpoints),
      static_cast<long>(counts.full_overlays),
      static_cast<long>(counts.build_commits),
      static_cast<long>(counts.builds_ended_by_readers),
      static_cast<long>(counts.builds_gone_on),
      static_cast<long>(counts.orders), static_cast<long>(counts.bad_records),
      static_cast<long>(counts.repeated_letters));
}

TEST(PipelineSimulationTest, EverySeedEndsWithTheModelsRows) {
  SetLogLevel(LogLevel::kError);
  SimulationCounts counts;
  const char* only = std::getenv("TIDEGATE_SEED");
  uint64_t first = 1;
  uint64_t last = kSeeds;
  if (only != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(only, &first)) << only;
    last = first;
    SetLogLevel(LogLevel::kDebug);
  }
  for (uint64_t seed = first; seed <= last; ++seed) {
    const absl::Status status =
        PipelineSimulation(seed, StorePolicy(), &counts).Run();
    ASSERT_TRUE(status.ok())
        << "seed=" << seed << " (TIDEGATE_SEED=" << seed << " replays it)\n"
        << status;
  }
  Print(counts);
  if (only != nullptr) return;
  for (const char* step :
       {"between turns", "before append", "after append", "before sync",
        "after sync", "inside checkpoint", "before checkpoint",
        "after checkpoint", "before trim", "after trim", "before meta",
        "after meta"}) {
    EXPECT_GT(counts.crashes[step], 0) << step;
  }
  EXPECT_GT(counts.process_crashes, 0);
  EXPECT_GT(counts.machine_crashes, 0);
  EXPECT_GT(counts.full_overlays, 0);
  EXPECT_GT(counts.build_commits, 0);
  EXPECT_GT(counts.builds_ended_by_readers, 0);
  EXPECT_GT(counts.builds_gone_on, 0);
  EXPECT_GT(counts.bad_records, 0);
  EXPECT_GT(counts.repeated_letters, 0);
}

// The simulation can fail: such a store is found out.
void ExpectCaught(StorePolicy mutant) {
  SetLogLevel(LogLevel::kError);
  SimulationCounts counts;
  for (uint64_t seed = 1; seed <= kMutantSeeds; ++seed) {
    const absl::Status status = PipelineSimulation(seed, mutant, &counts).Run();
    if (status.ok()) continue;
    std::printf("caught at seed=%lu: %s\n", static_cast<unsigned long>(seed),
                std::string(status.message().substr(0, 200)).c_str());
    return;
  }
  FAIL() << "no seed noticed it";
}

TEST(PipelineSimulationTest, AStoreThatSkipsTheSyncIsCaught) {
  StorePolicy mutant;
  mutant.sync_log_before_checkpoint = false;
  ExpectCaught(mutant);
}

TEST(PipelineSimulationTest, ABuildThatForgetsPositionsIsCaught) {
  StorePolicy mutant;
  mutant.build_forgets_positions = true;
  ExpectCaught(mutant);
}

TEST(PipelineSimulationTest, ABuildThatSaysTheLogHasItIsCaught) {
  StorePolicy mutant;
  mutant.build_keeps_log_start = true;
  ExpectCaught(mutant);
}

TEST(PipelineModelTest, CountsWhatAViewCounts) {
  PipelineModel model;
  model.drivers[1] = "ann";
  model.orders.push_back({"a", 1, "r", 10, 0.5, 2000, 0, 0});
  model.orders.push_back({"b", 1, std::nullopt, 30, 1.5, 1000, 0, 1});
  model.orders.push_back({"c", 2, "r", std::nullopt, 2, 1000, 0, 2});
  EXPECT_EQ(model.Rows("totals"),
            (std::vector<std::string>{"1|2|1|40|10|30|20|2|NULL|a",
                                      "2|1|1|NULL|NULL|NULL|NULL|2|r|c"}));
  EXPECT_EQ(model.Rows("by_region"), (std::vector<std::string>{"NULL|1|1.5"}));
  EXPECT_EQ(model.Rows("named"),
            (std::vector<std::string>{"a|10|ann", "b|30|ann", "c|NULL|NULL"}));
  EXPECT_EQ(model.Rows("latest"), (std::vector<std::string>{"1|a|r", "2|c|r"}));
}

}  // namespace
}  // namespace tidegate
