// What every Store must do: a suite to be instantiated with a fixture type that
// has Store* store(), void Reopen() (as after the death of the process) and
// void CrashMachine() (reopens with nothing left that was not synced).
#ifndef TIDEGATE_VIEWS_STORE_STORE_CONFORMANCE_H_
#define TIDEGATE_VIEWS_STORE_STORE_CONFORMANCE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "views/store/store.h"
#include "views/store/store_testing.h"

namespace tidegate {

template <typename World>
class StoreConformance : public testing::Test {
 protected:
  using Log = std::map<uint64_t, std::string>;
  using RowMap = std::map<std::string, std::string>;
  Store* store() { return world_.store(); }
  void Append(uint64_t first, uint64_t last) {
    for (uint64_t seq = first; seq <= last; ++seq) {
      TG_ASSERT_OK(
          store()->AppendLog(Seq(seq), "record " + std::to_string(seq)));
    }
  }
  void Checkpoint(MapRows::Map rows, absl::string_view record) {
    MapRows source(std::move(rows));
    TG_ASSERT_OK(store()->Checkpoint(&source, record));
  }
  World world_;
};

TYPED_TEST_SUITE_P(StoreConformance);

TYPED_TEST_P(StoreConformance, EmptyAtFirst) {
  EXPECT_TRUE(LogOf(this->store(), Seq(0)).empty());
  EXPECT_EQ(this->store()->FirstLogSeq().value(), std::nullopt);
  EXPECT_EQ(this->store()->GetMeta("x").value(), std::nullopt);
  const auto snapshot = this->store()->Snapshot();
  EXPECT_EQ(snapshot->checkpoint(), "");
  EXPECT_TRUE(RowsOf(*snapshot).empty());
  std::string value;
  EXPECT_FALSE(snapshot->Get("x", &value).value());
}

TYPED_TEST_P(StoreConformance, LogIsReadInOrderFromAnywhere) {
  this->Append(1, 300);
  const auto log = LogOf(this->store(), Seq(0));
  ASSERT_EQ(log.size(), 300u);
  EXPECT_EQ(log.at(256), "record 256");
  EXPECT_EQ(LogOf(this->store(), Seq(299)).size(), 1u);
  EXPECT_TRUE(LogOf(this->store(), Seq(300)).empty());
  std::vector<uint64_t> seen;
  TG_ASSERT_OK(this->store()->ReadLog(Seq(253), [&](Seq seq, auto) {
    seen.push_back(seq.value());
    return seen.size() < 4;
  }));
  EXPECT_EQ(seen, (std::vector<uint64_t>{254, 255, 256, 257}));
  EXPECT_EQ(this->store()->FirstLogSeq().value(), Seq(1));
}

TYPED_TEST_P(StoreConformance, LogSurvivesTheProcess) {
  this->Append(1, 20);
  this->world_.Reopen();
  EXPECT_EQ(LogOf(this->store(), Seq(0)).size(), 20u);
}

TYPED_TEST_P(StoreConformance, SyncedLogSurvivesTheMachine) {
  this->Append(1, 20);
  TG_ASSERT_OK(this->store()->SyncLog());
  this->Append(21, 30);
  this->world_.CrashMachine();
  const auto log = LogOf(this->store(), Seq(0));
  EXPECT_EQ(log.size(), 20u) << "the suite's worlds keep nothing unsynced";
  // And it goes on from there, with other records under the same numbers.
  TG_ASSERT_OK(this->store()->AppendLog(Seq(21), "anew"));
  this->world_.Reopen();
  EXPECT_EQ(LogOf(this->store(), Seq(20)).at(21), "anew");
}

TYPED_TEST_P(StoreConformance, TrimForgetsThePast) {
  this->Append(1, 50);
  TG_ASSERT_OK(this->store()->TrimLog(Seq(10)));
  TG_ASSERT_OK(this->store()->TrimLog(Seq(9)));
  EXPECT_EQ(this->store()->FirstLogSeq().value(), Seq(11));
  EXPECT_EQ(LogOf(this->store(), Seq(0)).size(), 40u);
  TG_ASSERT_OK(this->store()->TrimLog(Seq(30)));
  this->Append(51, 60);
  this->world_.Reopen();
  const auto log = LogOf(this->store(), Seq(30));
  EXPECT_EQ(log.size(), 30u);
  EXPECT_EQ(log.begin()->first, 31u);
}

TYPED_TEST_P(StoreConformance, TrimOfEverything) {
  this->Append(1, 5);
  TG_ASSERT_OK(this->store()->TrimLog(Seq(5)));
  EXPECT_EQ(this->store()->FirstLogSeq().value(), std::nullopt);
  this->Append(6, 7);
  EXPECT_EQ(this->store()->FirstLogSeq().value(), Seq(6));
}

TYPED_TEST_P(StoreConformance, CheckpointReplacesAndDeletes) {
  const std::string binary("a\0b\xff", 4);
  this->Checkpoint({{"a", "1"}, {"b", "2"}, {binary, binary}}, "first");
  this->Checkpoint({{"a", std::nullopt}, {"b", ""}, {"c", "3"}}, "second");
  const auto snapshot = this->store()->Snapshot();
  EXPECT_EQ(snapshot->checkpoint(), "second");
  EXPECT_EQ(RowsOf(*snapshot), (typename TestFixture::RowMap{
                                   {binary, binary}, {"b", ""}, {"c", "3"}}));
  std::string value;
  EXPECT_FALSE(snapshot->Get("a", &value).value());
  EXPECT_TRUE(snapshot->Get("c", &value).value());
  EXPECT_EQ(value, "3");
  const auto iterator = snapshot->NewIterator();
  iterator->Seek("b");
  ASSERT_TRUE(iterator->Valid());
  EXPECT_EQ(iterator->key(), "b");
  iterator->Seek("d");
  EXPECT_FALSE(iterator->Valid());
}

TYPED_TEST_P(StoreConformance, CheckpointWithoutRows) {
  this->Checkpoint({{"a", "1"}}, "first");
  this->Checkpoint({}, "second");
  EXPECT_EQ(this->store()->Snapshot()->checkpoint(), "second");
  EXPECT_EQ(RowsOf(*this->store()->Snapshot()).size(), 1u);
}

TYPED_TEST_P(StoreConformance, CheckpointRefusesDisorder) {
  class Disorder : public RowSource {
   public:
    bool Next(absl::string_view* key,
              std::optional<absl::string_view>* value) override {
      *key = count_ == 0 ? "b" : "a";
      *value = "x";
      return count_++ < 2;
    }
    int count_ = 0;
  } disorder;
  EXPECT_FALSE(this->store()->Checkpoint(&disorder, "x").ok());
  EXPECT_EQ(this->store()->Snapshot()->checkpoint(), "");
  EXPECT_TRUE(RowsOf(*this->store()->Snapshot()).empty());
}

TYPED_TEST_P(StoreConformance, SnapshotsDoNotMove) {
  this->Checkpoint({{"a", "1"}, {"b", "1"}}, "first");
  const auto snapshot = this->store()->Snapshot();
  const auto iterator = snapshot->NewIterator();
  iterator->Seek("");
  for (int i = 2; i < 12; ++i) {
    this->Checkpoint({{"a", std::to_string(i)},
                      {"b", std::nullopt},
                      {"c" + std::to_string(i), "x"}},
                     "later");
  }
  EXPECT_EQ(snapshot->checkpoint(), "first");
  EXPECT_EQ(RowsOf(*snapshot),
            (typename TestFixture::RowMap{{"a", "1"}, {"b", "1"}}));
  iterator->Next();
  ASSERT_TRUE(iterator->Valid());
  EXPECT_EQ(iterator->key(), "b");
}

TYPED_TEST_P(StoreConformance, CheckpointIsDurableAtOnce) {
  this->Checkpoint({{"a", "1"}, {"b", "2"}}, "first");
  this->Append(1, 3);
  this->Checkpoint({{"a", std::nullopt}, {"c", "3"}}, "second");
  this->world_.CrashMachine();
  EXPECT_EQ(this->store()->Snapshot()->checkpoint(), "second");
  EXPECT_EQ(RowsOf(*this->store()->Snapshot()),
            (typename TestFixture::RowMap{{"b", "2"}, {"c", "3"}}));
}

TYPED_TEST_P(StoreConformance, CheckpointDoesNotNeedTheLog) {
  this->Append(1, 5);
  TG_ASSERT_OK(this->store()->SyncLog());
  this->Append(6, 9);
  this->Checkpoint({{"a", "9"}}, "through 9");
  this->world_.CrashMachine();
  // Rows are newer than the log: why a caller has to sync before.
  EXPECT_EQ(this->store()->Snapshot()->checkpoint(), "through 9");
  EXPECT_EQ(LogOf(this->store(), Seq(0)).size(), 5u);
}

TYPED_TEST_P(StoreConformance, MetaIsDurableAtOnce) {
  TG_ASSERT_OK(this->store()->PutMeta("catalog", "one"));
  TG_ASSERT_OK(this->store()->PutMeta("checkpoint", "not the record"));
  TG_ASSERT_OK(this->store()->PutMeta("catalog", "two"));
  this->Checkpoint({}, "record");
  this->world_.CrashMachine();
  EXPECT_EQ(this->store()->GetMeta("catalog").value(), "two");
  EXPECT_EQ(this->store()->GetMeta("checkpoint").value(), "not the record");
  EXPECT_EQ(this->store()->GetMeta("cat").value(), std::nullopt);
  EXPECT_EQ(this->store()->Snapshot()->checkpoint(), "record");
}

REGISTER_TYPED_TEST_SUITE_P(StoreConformance, EmptyAtFirst,
                            LogIsReadInOrderFromAnywhere, LogSurvivesTheProcess,
                            SyncedLogSurvivesTheMachine, TrimForgetsThePast,
                            TrimOfEverything, CheckpointReplacesAndDeletes,
                            CheckpointWithoutRows, CheckpointRefusesDisorder,
                            SnapshotsDoNotMove, CheckpointIsDurableAtOnce,
                            CheckpointDoesNotNeedTheLog, MetaIsDurableAtOnce);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_STORE_CONFORMANCE_H_
