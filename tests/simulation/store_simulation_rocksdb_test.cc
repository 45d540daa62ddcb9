#include <cstdio>
#include <cstdlib>

#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "tests/simulation/store_simulation.h"
#include "views/store/lossy_file_system_testing.h"
#include "views/store/rocksdb_store.h"

namespace tidegate {
namespace {

constexpr uint64_t kSeeds = 200;
// A commit changes files a few times, a checkpoint some dozens of times.
constexpr uint64_t kMaxChangesToStop = 150;

// RocksDB on a disk that drops what was not synced.
class RocksMachine : public SimulatedMachine {
 public:
  absl::StatusOr<Store*> Open() override {
    RocksDbStoreOptions options;
    options.env = env_.get();
    options.block_cache_bytes = 1u << 20;
    options.log_buffer_bytes = 64u << 10;
    auto opened = OpenRocksDbStore("/store", options);
    if (!opened.ok()) return opened.status();
    store_ = *std::move(opened);
    return store_.get();
  }
  void Crash(CrashKind kind, std::mt19937_64* random) override {
    files_->PowerOff();
    store_.reset();
    if (kind == CrashKind::kProcess) {
      files_->PowerOnIntact();
      return;
    }
    const absl::Status status = files_->PowerOn(
        [random](uint64_t lost) { return (*random)() % (lost + 1); });
    EXPECT_TRUE(status.ok()) << status;
  }
  bool ArmInside(std::mt19937_64* random) override {
    files_->PowerOffAfter(1 + (*random)() % kMaxChangesToStop);
    return true;
  }
  bool stopped() const override { return files_->is_off(); }

 private:
  const std::shared_ptr<LossyFileSystem> files_ = LossyFileSystem::Create();
  const std::unique_ptr<rocksdb::Env> env_ = NewLossyEnv(files_);
  std::unique_ptr<Store> store_;
};

std::unique_ptr<SimulatedMachine> MakeMachine() {
  return std::make_unique<RocksMachine>();
}

TEST(StoreSimulationRocksDb, EverySeedEqualsTheModel) {
  SimulationCounts counts;
  const absl::Status status =
      RunSeeds(kSeeds, StorePolicy(), MakeMachine, &counts);
  ASSERT_TRUE(status.ok()) << status;
  PrintCounts(counts);
  if (std::getenv("TIDEGATE_SEED") != nullptr) return;
  for (size_t step = 0; step < kCrashSteps; ++step) {
    EXPECT_GT(counts.process_crashes[step] + counts.machine_crashes[step], 0u)
        << step;
  }
  EXPECT_GT(counts.lost_commits, 0u);
  EXPECT_GT(counts.trims, 0u);
  EXPECT_GT(counts.tokens_refused, 0u);
}

TEST(StoreSimulationRocksDb, AStoreThatSkipsTheSyncIsCaught) {
  SimulationCounts counts;
  StorePolicy mutant;
  mutant.sync_log_before_checkpoint = false;
  const absl::Status status = RunSeeds(kSeeds, mutant, MakeMachine, &counts);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  std::printf("caught: %s\n", status.ToString().c_str());
}

}  // namespace
}  // namespace tidegate
