#include "views/store/rocksdb_store.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "rocksdb/env.h"
#include "views/store/lossy_file_system_testing.h"
#include "views/store/materialized_store.h"
#include "views/store/store_conformance.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
constexpr char kPath[] = "/store";

// On a file system that drops everything that was not synced.
class LossyWorld {
 public:
  LossyWorld() { Open(); }
  ~LossyWorld() { store_.reset(); }
  Store* store() { return store_.get(); }
  LossyFileSystem* files() { return files_.get(); }
  void Reopen() {
    files_->PowerOff();
    store_.reset();
    files_->PowerOnIntact();
    Open();
  }
  void CrashMachine() {
    files_->PowerOff();
    store_.reset();
    TG_ASSERT_OK(files_->PowerOn([](uint64_t) { return 0; }));
    Open();
  }
  void Open() {
    RocksDbStoreOptions options;
    options.env = env_.get();
    auto opened = OpenRocksDbStore(kPath, options);
    TG_ASSERT_OK(opened.status());
    store_ = *std::move(opened);
  }

 private:
  const std::shared_ptr<LossyFileSystem> files_ = LossyFileSystem::Create();
  const std::unique_ptr<rocksdb::Env> env_ = NewLossyEnv(files_);
  std::unique_ptr<Store> store_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(RocksDbLossy, StoreConformance, LossyWorld);

// On the disk, removed at the end.
class Directory {
 public:
  Directory() {
    std::string name = testing::TempDir() + "/rocksdb_store_XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(RocksDbStore, WorksOnTheDisk) {
  const Directory directory;
  const std::string path = directory.path() + "/data";
  for (uint64_t round = 1; round <= 3; ++round) {
    auto store = OpenRocksDbStore(path, {}).value();
    EXPECT_EQ(LogOf(store.get(), Seq(0)).size(), round - 1);
    EXPECT_EQ(RowsOf(*store->Snapshot()).size(), round - 1);
    TG_ASSERT_OK(store->AppendLog(Seq(round), "record"));
    TG_ASSERT_OK(store->SyncLog());
    MapRows rows(MapRows::Map{{"k" + std::to_string(round), "v"}});
    TG_ASSERT_OK(store->Checkpoint(&rows, "record " + std::to_string(round)));
    TG_ASSERT_OK(store->PutMeta("m", std::to_string(round)));
    EXPECT_TRUE(std::filesystem::is_empty(path + "/ingest"));
  }
}

TEST(RocksDbStore, LeftoverFilesAreRemoved) {
  const Directory directory;
  const std::string& path = directory.path();
  OpenRocksDbStore(path, {}).value().reset();
  std::ofstream(path + "/ingest/0.sst") << "half a file";
  const auto store = OpenRocksDbStore(path, {}).value();
  EXPECT_TRUE(std::filesystem::is_empty(path + "/ingest"));
}

TEST(RocksDbStore, ASecondOpenNamesTheDirectory) {
  const Directory directory;
  const auto store = OpenRocksDbStore(directory.path(), {}).value();
  const absl::Status status = OpenRocksDbStore(directory.path(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory.path()));
}

TEST(RocksDbStore, ADirectoryThatCannotBeMadeIsNamed) {
  const Directory directory;
  std::ofstream(directory.path() + "/file") << "x";
  const absl::Status status =
      OpenRocksDbStore(directory.path() + "/file/data", {}).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("/file/data"));
}

TEST(RocksDbStore, SnapshotsOutliveTheStore) {
  const Directory directory;
  auto store = OpenRocksDbStore(directory.path(), {}).value();
  MapRows rows(MapRows::Map{{"a", "1"}});
  TG_ASSERT_OK(store->Checkpoint(&rows, "record"));
  auto snapshot = store->Snapshot();
  store.reset();
  EXPECT_EQ(RowsOf(*snapshot).size(), 1u);
  snapshot.reset();
  TG_EXPECT_OK(OpenRocksDbStore(directory.path(), {}).status());
}

TEST(RocksDbStore, LargeCheckpointsAreSplitAndCompacted) {
  LossyWorld world;
  const std::string value(1000, 'v');
  for (int round = 0; round < 8; ++round) {
    MapRows::Map rows;
    for (int i = round; i < 4000; i += 3) {
      rows["key" + std::to_string(i)] =
          i % 7 == round ? std::optional<std::string>() : value;
    }
    MapRows source(rows);
    TG_ASSERT_OK(world.store()->Checkpoint(&source, std::to_string(round)));
  }
  world.CrashMachine();
  EXPECT_EQ(world.store()->Snapshot()->checkpoint(), "7");
  EXPECT_GT(RowsOf(*world.store()->Snapshot()).size(), 3000u);
}

// More checkpoints than may wait for compaction: they wait, and all arrive.
TEST(RocksDbStore, CheckpointsWaitForCompaction) {
  const Directory directory;
  RocksDbStoreOptions options;
  options.max_uncompacted_row_files = 4;  // RocksDB compacts at four
  const auto store = OpenRocksDbStore(directory.path(), options).value();
  for (int i = 0; i < 30; ++i) {
    MapRows rows(MapRows::Map{{"a", std::to_string(i)}, {"b", "x"}});
    TG_ASSERT_OK(store->Checkpoint(&rows, std::to_string(i)));
  }
  EXPECT_EQ(RowsOf(*store->Snapshot()).at("a"), "29");
}

TEST(RocksDbStore, ACrashAnywhereInACheckpointLeavesOneOrTheOther) {
  uint64_t before = 0, after = 0;
  for (uint64_t change = 1;; ++change) {
    LossyWorld world;
    MapRows first(MapRows::Map{{"a", "1"}, {"b", "1"}});
    TG_ASSERT_OK(world.store()->Checkpoint(&first, "first"));
    world.files()->PowerOffAfter(change);
    MapRows second(MapRows::Map{{"a", "2"}, {"b", std::nullopt}, {"c", "2"}});
    const bool ok = world.store()->Checkpoint(&second, "second").ok();
    const bool reached = world.files()->is_off();
    world.CrashMachine();
    const auto snapshot = world.store()->Snapshot();
    if (snapshot->checkpoint() == "second") {
      EXPECT_EQ(RowsOf(*snapshot),
                (std::map<std::string, std::string>{{"a", "2"}, {"c", "2"}}));
      ++after;
    } else {
      EXPECT_EQ(snapshot->checkpoint(), "first");
      EXPECT_EQ(RowsOf(*snapshot),
                (std::map<std::string, std::string>{{"a", "1"}, {"b", "1"}}));
      EXPECT_FALSE(ok) << "a checkpoint that was confirmed is gone, change "
                       << change;
      ++before;
    }
    if (!reached) break;
  }
  std::printf("crashes in a checkpoint: %llu before, %llu after\n",
              static_cast<unsigned long long>(before),
              static_cast<unsigned long long>(after));
  EXPECT_GT(before, 3u);
  EXPECT_GT(after, 0u);
}

// Without the sync, rows outlive the log they came from; recovery says so.
TEST(RocksDbStore, SkippingTheSyncIsCaughtAfterAMachineCrash) {
  for (const bool sync : {true, false}) {
    LossyWorld world;
    StorePolicy policy;
    policy.sync_log_before_checkpoint = sync;
    auto store =
        MaterializedStore::Open(world.store(), {}, policy,
                                std::string(kIncarnationBytes, 'a'), {})
            .value();
    for (int i = 1; i <= 20; ++i) {
      CommitBuilder builder;
      builder.Add(
          MakeChange(ViewId(1), "k" + std::to_string(i), std::nullopt, "row"));
      TG_ASSERT_OK(store->Append(&builder, {}, 0, Positions()).status());
    }
    TG_ASSERT_OK(store->Checkpoint({}));
    store.reset();
    world.CrashMachine();
    EXPECT_EQ(RowsOf(*world.store()->Snapshot()).size(), 20u);
    EXPECT_EQ(LogOf(world.store(), Seq(0)).size(), sync ? 20u : 0u);
    const absl::Status status =
        MaterializedStore::Open(world.store(), {}, policy,
                                std::string(kIncarnationBytes, 'b'), {})
            .status();
    if (sync) {
      TG_EXPECT_OK(status);
    } else {
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      EXPECT_THAT(std::string(status.message()), HasSubstr("synced writes"));
    }
  }
}

}  // namespace
}  // namespace tidegate
