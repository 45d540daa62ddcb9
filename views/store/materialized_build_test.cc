// A store that is built: commits in checkpoints alone.
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "gmock/gmock.h"
#include "views/store/build_rows.h"
#include "views/store/materialized_store.h"
#include "views/store/simulated_store.h"
#include "views/store/store_testing.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::Pair;
constexpr ViewId kView(1);

ProcessingTime Ms(int64_t ms) { return ProcessingTime(ms * 1000); }

Positions At(int64_t offset) {
  Positions positions;
  positions.watermark = EventTime(offset);
  positions.partitions[{"t", PartitionId(0)}].next_offset = Offset(offset);
  return positions;
}

class BuildTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }

  absl::Status TryOpen() {
    store_.reset();
    std::string incarnation(kIncarnationBytes,
                            static_cast<char>('a' + starts_++));
    ASSIGN_OR_RETURN(store_,
                     MaterializedStore::Open(&disk_, options_, policy_,
                                             std::move(incarnation), Ms(0)));
    return absl::OkStatus();
  }
  void Open() { TG_ASSERT_OK(TryOpen()); }
  void Crash() {
    store_.reset();
    disk_.Crash(CrashKind::kMachine, 0);
    Open();
  }
  void Build(absl::string_view key, absl::string_view row, int64_t offset) {
    BuildRows rows(store_->head().next());
    rows.Add(MakeChange(kView, key, std::nullopt, row));
    TG_ASSERT_OK(store_->AppendBuild(&rows, At(offset)));
  }
  void Append(absl::string_view key, absl::string_view row, int64_t offset) {
    CommitBuilder builder;
    builder.Add(MakeChange(kView, key, std::nullopt, row));
    TG_ASSERT_OK(store_->Append(&builder, Ms(0), 0, At(offset)).status());
  }
  std::map<std::string, std::string> Rows() {
    return RowsOf(*store_->HeadView(), kView);
  }

  // The row that a fold would find; "none" if there is none.
  std::string Found(absl::string_view key) {
    bool has_row = false;
    absl::string_view row;
    absl::string_view state;
    const absl::StatusOr<bool> found =
        store_->Lookup(kView, key, &has_row, &row, &state);
    return *found && has_row ? std::string(row) : "none";
  }

  SimulatedStore disk_;
  MaterializedStoreOptions options_ = {.build = true};
  StorePolicy policy_;
  int starts_ = 0;
  std::unique_ptr<MaterializedStore> store_;
};

TEST_F(BuildTest, ACommitIsDurableWithItsPositionsAndInNoLog) {
  ASSERT_TRUE(store_->building());
  Build("a", "1", 10);
  Build("b", "2", 20);
  EXPECT_EQ(store_->head(), Seq(2));
  EXPECT_EQ(store_->checkpoint_seq(), Seq(2));
  EXPECT_EQ(store_->resumable_from(), Seq(2));
  EXPECT_EQ(store_->overlay_bytes(), 0u);
  EXPECT_EQ(store_->positions(), At(20));
  EXPECT_EQ(store_->HeadView()->watermark(), EventTime(20));
  EXPECT_EQ(store_->RowCountEstimate(kView), 2u);
  EXPECT_TRUE(LogOf(&disk_, Seq(0)).empty());
  EXPECT_EQ(store_->ReadLog(Seq(1), 1000).status().code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_FALSE(store_->CheckpointDue(Ms(1'000'000)));
  TG_EXPECT_OK(store_->Checkpoint(Ms(0)));
  EXPECT_EQ(store_->checkpoint_seq(), Seq(2));
  Crash();
  EXPECT_EQ(store_->positions(), At(20));
  EXPECT_EQ(store_->RowCountEstimate(kView), 2u);
  EXPECT_THAT(Rows(), ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST_F(BuildTest, AFoldFindsWhatWasBuilt) {
  EXPECT_EQ(Found("a"), "none");
  Build("a", "1", 10);
  Build("b", "2", 20);
  Build("a", "3", 30);
  EXPECT_EQ(Found("a"), "3");
  EXPECT_EQ(Found("b"), "2");
  EXPECT_EQ(Found("c"), "none");
  TG_ASSERT_OK(store_->FinishBuild());
  EXPECT_EQ(Found("a"), "3");
  Append("c", "4", 40);
  EXPECT_EQ(Found("c"), "4");
}

TEST_F(BuildTest, AnInterruptedBuildGoesOn) {
  Build("a", "1", 10);
  Crash();
  EXPECT_EQ(Found("a"), "1");
  EXPECT_TRUE(store_->building());
  EXPECT_EQ(store_->incarnations().back().first_seq, Seq(2));
  Build("b", "2", 20);
  EXPECT_EQ(store_->head(), Seq(2));
}

TEST_F(BuildTest, AnEndedBuildStaysEnded) {
  Build("a", "1", 10);
  TG_ASSERT_OK(store_->FinishBuild());
  EXPECT_FALSE(store_->building());
  EXPECT_TRUE(store_->EndBuild(0));
  Crash();
  EXPECT_FALSE(store_->building());
  Append("b", "2", 20);
  EXPECT_EQ(store_->ReadLog(Seq(1), 1000).value().size(), 1u);
  EXPECT_EQ(store_->resumable_from(), Seq(1));
  TG_ASSERT_OK(store_->Checkpoint(Ms(0)));
  EXPECT_EQ(store_->resumable_from(), Seq(1));
  Crash();
  EXPECT_EQ(store_->positions(), At(20));
  EXPECT_EQ(store_->ReadLog(Seq(1), 1000).value().size(), 1u);
  EXPECT_THAT(Rows(), ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST_F(BuildTest, AStoreThatWasReadWhileEmptyIsNotBuilt) {
  TG_ASSERT_OK(store_->FinishBuild());
  Crash();
  EXPECT_FALSE(store_->building());
}

TEST_F(BuildTest, AStoreWithALogIsNotBuilt) {
  options_.build = false;
  Open();
  EXPECT_FALSE(store_->building());
  Append("a", "1", 10);
  options_.build = true;
  Open();
  EXPECT_FALSE(store_->building());
  TG_ASSERT_OK(store_->Checkpoint(Ms(0)));
  Open();
  EXPECT_FALSE(store_->building());
}

TEST_F(BuildTest, AReaderWaitsForTheLastCommit) {
  Build("a", "1", 10);
  EXPECT_FALSE(store_->build_end_wanted());
  Seq seen;
  bool ended = false;
  std::thread reader([&] {
    ended = store_->EndBuild(60'000);
    seen = store_->head();
  });
  while (!store_->build_end_wanted()) std::this_thread::yield();
  Build("b", "2", 20);
  TG_EXPECT_OK(store_->FinishBuild());
  reader.join();
  EXPECT_TRUE(ended);
  EXPECT_EQ(seen, Seq(2));
  Append("c", "3", 30);
  // Whoever was told 2 can go on from there.
  EXPECT_EQ(store_->ReadLog(seen, 1000).value().size(), 1u);
}

TEST_F(BuildTest, AHeldViewKeepsItsRows) {
  Build("a", "1", 10);
  const auto held = store_->HeadView();
  Build("a", "2", 20);
  EXPECT_THAT(RowsOf(*held, kView), ElementsAre(Pair("a", "1")));
  EXPECT_THAT(Rows(), ElementsAre(Pair("a", "2")));
}

// The log's start is how a start knows that a checkpoint needs no log.
TEST_F(BuildTest, ABuildThatSaysTheLogHasItIsCaught) {
  policy_.build_keeps_log_start = true;
  Open();
  Build("a", "1", 10);
  store_.reset();
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace tidegate
