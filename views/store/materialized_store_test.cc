#include "views/store/materialized_store.h"

#include <atomic>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "gmock/gmock.h"
#include "views/store/simulated_store.h"
#include "views/store/store_testing.h"
#include "views/store/store_version.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
using RowMap = std::map<std::string, std::string>;
constexpr ViewId kView(1);
constexpr ViewId kOther(2);

ProcessingTime Ms(int64_t ms) { return ProcessingTime(ms * 1000); }

class MaterializedStoreTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }

  absl::Status TryOpen() {
    store_.reset();
    std::string incarnation(kIncarnationBytes,
                            static_cast<char>('a' + starts_++));
    ASSIGN_OR_RETURN(store_,
                     MaterializedStore::Open(&simulated_, options_, policy_,
                                             std::move(incarnation), Ms(0)));
    return absl::OkStatus();
  }
  void Open() { TG_ASSERT_OK(TryOpen()); }

  // Sets key to a row in one commit; none deletes.
  std::shared_ptr<const Commit> Put(absl::string_view key,
                                    std::optional<absl::string_view> row,
                                    ViewId view = kView, int64_t now_ms = 0) {
    std::string before;
    const bool has_before =
        store_->HeadView()->GetRow(view, key, &before).value();
    CommitBuilder builder;
    builder.Add(MakeChange(view, key,
                           has_before ? std::optional(before) : std::nullopt,
                           row, row.has_value() ? "state" : ""));
    Positions positions;
    positions.watermark = EventTime(static_cast<int64_t>(++puts_));
    positions.partitions[{"t", PartitionId(0)}].next_offset =
        Offset(static_cast<int64_t>(puts_));
    auto commit = store_->Append(&builder, Ms(now_ms), 5, positions);
    EXPECT_TRUE(commit.ok()) << commit.status();
    return *commit;
  }
  RowMap Head(ViewId view = kView) { return RowsOf(*store_->HeadView(), view); }

  SimulatedStore simulated_;
  MaterializedStoreOptions options_;
  StorePolicy policy_;
  int starts_ = 0;
  uint64_t puts_ = 0;
  std::unique_ptr<MaterializedStore> store_;
};

TEST_F(MaterializedStoreTest, EmptyAtFirst) {
  EXPECT_EQ(store_->head(), Seq(0));
  EXPECT_EQ(store_->checkpoint_seq(), Seq(0));
  EXPECT_EQ(store_->resumable_from(), Seq(0));
  EXPECT_EQ(store_->positions(), Positions());
  EXPECT_TRUE(store_->ReadLog(Seq(0), 1000)->empty());
  EXPECT_TRUE(Head().empty());
  EXPECT_FALSE(store_->CheckpointDue(Ms(1'000'000)));
  ASSERT_EQ(store_->incarnations().size(), 1u);
  EXPECT_EQ(store_->incarnations()[0].first_seq, Seq(1));
  TG_EXPECT_OK(store_->Checkpoint(Ms(0)));
  EXPECT_EQ(simulated_.Snapshot()->checkpoint(), "");
}

TEST_F(MaterializedStoreTest, AppendIsVisibleToReadersAndLookup) {
  const auto commit = Put("a", "1");
  EXPECT_EQ(commit->seq(), Seq(1));
  EXPECT_EQ(store_->head(), Seq(1));
  EXPECT_EQ(store_->positions(), commit->positions());
  EXPECT_EQ(store_->HeadView()->watermark(), EventTime(1));
  EXPECT_EQ(Head(), (RowMap{{"a", "1"}}));
  EXPECT_TRUE(Head(kOther).empty());
  bool has_row = false;
  absl::string_view row, state;
  ASSERT_TRUE(store_->Lookup(kView, "a", &has_row, &row, &state).value());
  EXPECT_TRUE(has_row);
  EXPECT_EQ(row, "1");
  EXPECT_EQ(state, "state");
  EXPECT_FALSE(store_->Lookup(kView, "b", &has_row, &row, &state).value());
  EXPECT_FALSE(store_->Lookup(kOther, "a", &has_row, &row, &state).value());
  Put("a", std::nullopt);
  EXPECT_FALSE(store_->Lookup(kView, "a", &has_row, &row, &state).value());
  EXPECT_TRUE(Head().empty());
}

TEST_F(MaterializedStoreTest, StateWithoutARowIsInvisible) {
  CommitBuilder builder;
  builder.Add(MakeChange(kView, "w", std::nullopt, std::nullopt, "open"));
  TG_ASSERT_OK(store_->Append(&builder, Ms(0), 0, Positions()).status());
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(Head().empty());
    bool has_row = true;
    absl::string_view row, state;
    ASSERT_TRUE(store_->Lookup(kView, "w", &has_row, &row, &state).value());
    EXPECT_FALSE(has_row);
    EXPECT_EQ(state, "open");
    EXPECT_EQ(store_->RowCountEstimate(kView), 0u);
    TG_ASSERT_OK(store_->Checkpoint(Ms(0)));  // then again, from the base
  }
}

TEST_F(MaterializedStoreTest, GetRowTellsTheCommitThatLastTouchedARow) {
  Open();
  Put("a", "1");
  Put("b", "1");
  Put("a", "2");
  Put("gone", "1");
  Put("gone", std::nullopt);
  const auto last = [&](absl::string_view key, bool wanted) {
    std::string row;
    Seq seq;
    EXPECT_EQ(
        store_->HeadView()->GetRow(kView, key, &row, nullptr, &seq).value(),
        wanted);
    return seq.value();
  };
  for (const bool checkpointed : {false, true}) {
    EXPECT_EQ(last("a", true), 3u);
    EXPECT_EQ(last("b", true), 2u);
    EXPECT_EQ(last("none", false), 0u);
    // Forgotten once no log needs it.
    EXPECT_EQ(last("gone", false), checkpointed ? 0u : 5u);
    TG_ASSERT_OK(store_->Checkpoint(Ms(1)));
  }
  Put("b", "3");
  EXPECT_EQ(last("b", true), 6u);
}

TEST_F(MaterializedStoreTest, CheckpointMovesRowsAndKeepsReaders) {
  Put("a", "1");
  Put("b", "1");
  const auto before = store_->HeadView();
  TG_ASSERT_OK(store_->Checkpoint(Ms(0)));
  EXPECT_EQ(store_->checkpoint_seq(), Seq(2));
  EXPECT_EQ(store_->overlay_bytes(), 0u);
  EXPECT_EQ(Head(), (RowMap{{"a", "1"}, {"b", "1"}}));
  Put("a", std::nullopt);
  Put("b", "2");
  Put("c", "3", kOther);
  EXPECT_EQ(Head(), (RowMap{{"b", "2"}}));
  TG_ASSERT_OK(store_->Checkpoint(Ms(0)));
  EXPECT_EQ(Head(), (RowMap{{"b", "2"}}));
  EXPECT_EQ(Head(kOther), (RowMap{{"c", "3"}}));
  EXPECT_EQ(RowsOf(*before, kView), (RowMap{{"a", "1"}, {"b", "1"}}));
  EXPECT_EQ(before->seq(), Seq(2));
}

TEST_F(MaterializedStoreTest, RecoversRowsPositionsAndCounts) {
  Put("a", "1");
  Put("b", "1");
  TG_ASSERT_OK(store_->Checkpoint(Ms(0)));
  Put("a", std::nullopt);
  Put("c", "1", kOther);
  const Positions positions = store_->positions();
  for (int i = 0; i < 3; ++i) {
    Open();
    EXPECT_EQ(store_->head(), Seq(4));
    EXPECT_EQ(store_->checkpoint_seq(), Seq(2));
    EXPECT_EQ(store_->positions(), positions);
    EXPECT_EQ(Head(), (RowMap{{"b", "1"}}));
    EXPECT_EQ(store_->RowCountEstimate(kView), 1u);
    EXPECT_EQ(store_->RowCountEstimate(kOther), 1u);
    EXPECT_EQ(store_->incarnations().size(), 2u + static_cast<size_t>(i));
    EXPECT_EQ(store_->incarnations().back().first_seq, Seq(5));
  }
}

TEST_F(MaterializedStoreTest, FrozenCheckpointLetsTheFoldGoOn) {
  // A store whose checkpoint is written while the fold appends.
  class SlowStore : public SimulatedStore {
   public:
    absl::Status Checkpoint(RowSource* rows,
                            absl::string_view record) override {
      if (during) during();
      if (fail) return absl::UnavailableError("disk is full");
      return SimulatedStore::Checkpoint(rows, record);
    }
    std::function<void()> during;
    bool fail = false;
  } slow;
  store_ = MaterializedStore::Open(&slow, options_, policy_,
                                   std::string(kIncarnationBytes, 'x'), Ms(0))
               .value();
  for (const bool fail : {true, false}) {
    slow.during = nullptr;
    Put("a", "old");
    Put("b", "old");
    slow.fail = fail;
    std::shared_ptr<const ReadView> meanwhile;
    const Seq frozen = store_->head();
    slow.during = [&] {
      for (int i = 0; i < 20; ++i) Put("k" + std::to_string(i), "new");
      Put("a", "new");
      Put("b", std::nullopt);
      meanwhile = store_->HeadView();
    };
    EXPECT_EQ(store_->Checkpoint(Ms(0)).ok(), !fail);
    EXPECT_EQ(store_->checkpoint_seq(), fail ? Seq(0) : frozen);
    EXPECT_EQ(store_->head().value(), frozen.value() + 22);
    EXPECT_EQ(Head().size(), 21u);
    EXPECT_EQ(Head().at("a"), "new");
    EXPECT_EQ(Head().count("b"), 0u);
    EXPECT_EQ(RowsOf(*meanwhile, kView), Head());
    EXPECT_EQ(store_->RowCountEstimate(kView), 21u);
    EXPECT_GT(store_->overlay_bytes(), 0u);
    EXPECT_TRUE(store_->CheckpointDue(Ms(options_.checkpoint_age_ms)));
  }
  store_ = MaterializedStore::Open(&slow, options_, policy_,
                                   std::string(kIncarnationBytes, 'y'), Ms(0))
               .value();
  EXPECT_EQ(Head().size(), 21u);
  EXPECT_EQ(store_->RowCountEstimate(kView), 21u);
}

TEST_F(MaterializedStoreTest, CheckpointIsDueByBytesAndAge) {
  options_.checkpoint_bytes = 4000;
  options_.max_overlay_bytes = 8000;
  Open();
  Put("a", "1", kView, 50);
  EXPECT_FALSE(store_->CheckpointDue(Ms(50)));
  EXPECT_TRUE(store_->CheckpointDue(Ms(50 + options_.checkpoint_age_ms)));
  TG_ASSERT_OK(store_->Checkpoint(Ms(60)));
  EXPECT_FALSE(store_->CheckpointDue(Ms(1'000'000)));
  Put("a", std::string(4000, 'x'), kView, 70);
  EXPECT_TRUE(store_->CheckpointDue(Ms(70)));
  EXPECT_FALSE(store_->OverlayFull());
  Put("b", std::string(4000, 'x'), kView, 70);
  EXPECT_TRUE(store_->OverlayFull());
  TG_ASSERT_OK(store_->Checkpoint(Ms(70)));
  EXPECT_FALSE(store_->OverlayFull());
}

TEST_F(MaterializedStoreTest, ReadLogFromMemoryAndFromTheStore) {
  options_.tail_commits = 4;
  Open();
  for (int i = 0; i < 20; ++i) Put("k" + std::to_string(i), "row");
  for (uint64_t after = 0; after < 20; ++after) {
    uint64_t at = after;
    while (at < 20) {
      const auto commits = store_->ReadLog(Seq(at), 300).value();
      ASSERT_FALSE(commits.empty());
      EXPECT_LT(commits.size(), 8u);
      for (const auto& commit : commits) {
        EXPECT_EQ(commit->seq(), Seq(++at));
        EXPECT_EQ(commit->changes()[0].key, "k" + std::to_string(at - 1));
      }
    }
    EXPECT_EQ(at, 20u);
  }
  EXPECT_TRUE(store_->ReadLog(Seq(20), 300)->empty());
  EXPECT_TRUE(store_->ReadLog(Seq(99), 300)->empty());
}

TEST_F(MaterializedStoreTest, LogIsTrimmedOnlyBelowThePreviousCheckpoint) {
  options_.log_retention_bytes = 0;
  options_.tail_commits = 1;
  Open();
  for (int i = 0; i < 10; ++i) Put("a", std::to_string(i));
  TG_ASSERT_OK(store_->Checkpoint(Ms(0)));
  EXPECT_EQ(store_->resumable_from(), Seq(0));
  Put("a", "x");
  TG_ASSERT_OK(store_->Checkpoint(Ms(0)));
  EXPECT_EQ(store_->resumable_from(), Seq(10));
  EXPECT_EQ(simulated_.FirstLogSeq().value(), Seq(11));
  EXPECT_EQ(store_->ReadLog(Seq(9), 100).status().code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(store_->ReadLog(Seq(9), 100).status().message()),
              HasSubstr("history trimmed"));
  EXPECT_EQ(store_->ReadLog(Seq(10), 100)->size(), 1u);
  const size_t log_bytes = store_->log_bytes();
  EXPECT_GT(log_bytes, 0u);
  // The trim is lost with the machine, the promise about it is not.
  simulated_.Crash(CrashKind::kMachine, 0);
  EXPECT_EQ(simulated_.FirstLogSeq().value(), Seq(1));
  Open();
  EXPECT_EQ(store_->resumable_from(), Seq(10));
  EXPECT_EQ(store_->log_bytes(), log_bytes);
}

TEST_F(MaterializedStoreTest, LogIsTrimmedByAge) {
  options_.log_retention_ms = 5000;
  Open();
  for (int64_t i = 1; i <= 10; ++i) Put("a", "x", kView, i * 1000);
  TG_ASSERT_OK(store_->Checkpoint(Ms(10'000)));
  Put("a", "y", kView, 12'500);
  TG_ASSERT_OK(store_->Checkpoint(Ms(12'500)));
  EXPECT_EQ(store_->resumable_from(), Seq(7));
}

TEST_F(MaterializedStoreTest, PinsHoldTheLogBackForAWhile) {
  options_.log_retention_bytes = 0;
  options_.max_pin_age_ms = 1000;
  Open();
  Put("a", "1");
  TG_ASSERT_OK(store_->Checkpoint(Ms(0)));
  std::unique_ptr<LogPin> pin;
  const auto base = store_->BaseView(Ms(0), &pin);
  EXPECT_EQ(base->seq(), Seq(1));
  EXPECT_EQ(base->watermark(), EventTime(1));
  for (int i = 0; i < 5; ++i) {
    Put("a", std::to_string(i + 10));
    TG_ASSERT_OK(store_->Checkpoint(Ms(1000)));
  }
  EXPECT_EQ(store_->resumable_from(), Seq(1));
  EXPECT_EQ(store_->ReadLog(base->seq(), 1 << 20)->size(), 5u);
  EXPECT_EQ(RowsOf(*base, kView), (RowMap{{"a", "1"}}));
  // Too old, it counts no more.
  Put("a", "z");
  TG_ASSERT_OK(store_->Checkpoint(Ms(1001)));
  EXPECT_EQ(store_->resumable_from(), Seq(6));
  // A younger one does, until it is dropped; it may outlive the store.
  std::unique_ptr<LogPin> second;
  (void)store_->BaseView(Ms(1001), &second);
  for (int i = 0; i < 3; ++i) {
    Put("a", std::to_string(i));
    TG_ASSERT_OK(store_->Checkpoint(Ms(1001)));
  }
  EXPECT_EQ(store_->resumable_from(), Seq(7));
  second.reset();
  Put("a", "zz");
  TG_ASSERT_OK(store_->Checkpoint(Ms(1001)));
  EXPECT_EQ(store_->resumable_from(), Seq(10));
  store_.reset();
}

TEST_F(MaterializedStoreTest, AGapInTheLogIsDataLoss) {
  Put("a", "1");
  const auto second = Put("a", "2");
  const auto third = Put("a", "3");
  SimulatedStore gap;
  TG_ASSERT_OK(gap.AppendLog(Seq(2), second->record()));
  EXPECT_EQ(MaterializedStore::Open(&gap, options_, policy_,
                                    std::string(kIncarnationBytes, 'z'), Ms(0))
                .status()
                .code(),
            absl::StatusCode::kDataLoss);
  TG_ASSERT_OK(simulated_.AppendLog(Seq(5), third->record()));
  const absl::Status status = TryOpen();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected seq=4"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("restore"));
}

TEST_F(MaterializedStoreTest, DamagedRecordsAreDataLoss) {
  const auto commit = Put("a", "1");
  // The record of another commit under this number.
  TG_ASSERT_OK(simulated_.AppendLog(Seq(2), commit->record()));
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
  std::string damaged(commit->record());
  damaged[5] = static_cast<char>(damaged[5] ^ 1);
  TG_ASSERT_OK(simulated_.AppendLog(Seq(1), damaged));
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(MaterializedStoreTest, SkippingTheSyncIsCaughtAfterAMachineCrash) {
  for (const bool sync : {true, false}) {
    SimulatedStore simulated;
    StorePolicy policy;
    policy.sync_log_before_checkpoint = sync;
    store_ = MaterializedStore::Open(&simulated, options_, policy,
                                     std::string(kIncarnationBytes, 'm'), Ms(0))
                 .value();
    for (int i = 0; i < 5; ++i) Put("a", std::to_string(i));
    TG_ASSERT_OK(store_->Checkpoint(Ms(0)));
    store_.reset();
    simulated.Crash(CrashKind::kMachine, 2);
    const auto opened =
        MaterializedStore::Open(&simulated, options_, policy,
                                std::string(kIncarnationBytes, 'n'), Ms(0));
    EXPECT_EQ(opened.status().code(),
              sync ? absl::StatusCode::kOk : absl::StatusCode::kDataLoss)
        << opened.status();
  }
}

TEST_F(MaterializedStoreTest, IncarnationsAreBounded) {
  for (size_t i = 0; i < kMaxIncarnations + 5; ++i) {
    std::string id(kIncarnationBytes, '\0');
    id[0] = static_cast<char>(i);
    id[1] = static_cast<char>(i >> 8);
    auto opened =
        MaterializedStore::Open(&simulated_, options_, policy_, id, Ms(0));
    TG_ASSERT_OK(opened.status());
    store_ = *std::move(opened);
    EXPECT_EQ(store_->incarnations().back().id, id);
  }
  EXPECT_EQ(store_->incarnations().size(), kMaxIncarnations);
  // An id that was used, or is no id.
  EXPECT_FALSE(MaterializedStore::Open(&simulated_, options_, policy_,
                                       store_->incarnations()[3].id, Ms(0))
                   .ok());
  EXPECT_FALSE(
      MaterializedStore::Open(&simulated_, options_, policy_, "x", Ms(0)).ok());
}

// Every commit moves a unit from one key to another, so that any consistent
// view sums to the same; runs under ThreadSanitizer.
TEST_F(MaterializedStoreTest, ReadersSeeWholeCommitsWhileAllElseRuns) {
  constexpr int kKeys = 16;
  constexpr int kCommits = 2000;
  options_.tail_commits = 8;
  options_.log_retention_bytes = 4000;
  Open();
  std::vector<int> model(kKeys, 1000);
  for (int k = 0; k < kKeys; ++k) Put("k" + std::to_string(k), "1000");
  std::atomic<bool> done{false};
  std::atomic<int> checked{0};
  const auto sum = [](const ReadView& read_view) {
    int total = 0;
    for (const auto& [key, row] : RowsOf(read_view, kView)) {
      total += std::stoi(row);
    }
    return total;
  };
  std::thread reader([&] {
    while (!done) {
      EXPECT_EQ(sum(*store_->HeadView()), kKeys * 1000);
      std::unique_ptr<LogPin> pin;
      const auto base = store_->BaseView(Ms(0), &pin);
      if (base->seq() >= Seq(kKeys)) {
        EXPECT_EQ(sum(*base), kKeys * 1000);
      }
      const auto commits = store_->ReadLog(base->seq(), 2000);
      TG_EXPECT_OK(commits.status());
      if (commits.ok() && !commits->empty()) {
        EXPECT_EQ(commits->front()->seq(), base->seq().next());
      }
      ++checked;
    }
  });
  std::thread checkpointer([&] {
    while (!done) TG_EXPECT_OK(store_->Checkpoint(Ms(0)));
  });
  for (int i = 0; i < kCommits || checked < 20; ++i) {
    const int from = i % kKeys, to = (i * 7 + 3) % kKeys;
    if (from == to) continue;
    std::map<std::string, std::pair<int, int>> changes;
    changes["k" + std::to_string(from)] = {model[from], model[from] - 1};
    changes["k" + std::to_string(to)] = {model[to], model[to] + 1};
    --model[from];
    ++model[to];
    CommitBuilder builder;
    for (const auto& [key, rows] : changes) {
      builder.Add(MakeChange(kView, key, std::to_string(rows.first),
                             std::to_string(rows.second)));
    }
    TG_EXPECT_OK(store_->Append(&builder, Ms(0), 0, Positions()).status());
  }
  done = true;
  reader.join();
  checkpointer.join();
  EXPECT_EQ(store_->RowCountEstimate(kView), uint64_t{kKeys});
  // However the threads fell: nobody reads now, so the second checkpoint trims
  // up to the first.
  for (int i = 0; i < 2; ++i) {
    Put("k0", std::to_string(i));
    TG_EXPECT_OK(store_->Checkpoint(Ms(0)));
  }
  EXPECT_GT(store_->resumable_from(), Seq(0));
}

TEST(StoredRow, RoundTripAndDamage) {
  for (const bool corrected : {false, true}) {
    const std::string bytes =
        EncodeStoredRow(Seq(300), {true, corrected, "row", "state"});
    Seq seq;
    StoredEntry entry;
    TG_ASSERT_OK(DecodeStoredRow(bytes, &seq, &entry));
    EXPECT_EQ(seq, Seq(300));
    EXPECT_TRUE(entry.has_row);
    EXPECT_EQ(entry.corrected, corrected);
    EXPECT_EQ(entry.row, "row");
    EXPECT_EQ(entry.state, "state");
    for (size_t size = 0; size + 5 < bytes.size(); ++size) {
      EXPECT_FALSE(DecodeStoredRow(absl::string_view(bytes).substr(0, size),
                                   &seq, &entry)
                       .ok());
    }
  }
}

}  // namespace
}  // namespace tidegate
