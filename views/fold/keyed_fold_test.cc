#include "views/fold/keyed_fold.h"

#include <algorithm>
#include <iostream>
#include <random>

#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::AddOutput;
using testing::At;
using testing::Binary;
using testing::Column;
using testing::Compare;
using testing::Constant;
using testing::FakeStore;
using Texts = std::vector<std::string>;

// SELECT s.id, 100 / s.x AS q, t.name FROM source s [LEFT] JOIN t ON s.x = t.x
// with PRIMARY KEY (id); the join is added by a test.
class KeyedFoldTest : public ::testing::Test {
 protected:
  KeyedFoldTest()
      : source_(testing::Source({{"id", Type::kBigint}, {"x", Type::kBigint}})),
        joined_(
            testing::Source({{"x", Type::kBigint}, {"name", Type::kVarchar}})) {
    plan_.name = "v";
    AddOutput(&plan_, "id", Column(0, Type::kBigint));
    AddOutput(&plan_, "q",
              Binary(Op::kDivide, Constant(Type::kBigint, Datum::Int(100)),
                     Column(1, Type::kBigint), Type::kBigint));
    plan_.key_columns = {0};
    Start();
  }

  void Start() {
    schema_ = testing::SchemaOf(plan_);
    fold_ = ViewFold::Create(
        &plan_, &source_, plan_.join ? &joined_ : nullptr, &schema_,
        store_.Sources(
            [this](Row key, EventTime, MutableRow row) -> absl::StatusOr<bool> {
              EXPECT_EQ(key.size(), 1u);
              EXPECT_EQ(row.size(), 2u);
              EXPECT_FALSE(key[0].is_null);
              if (!table_error_.ok()) return table_error_;
              const auto found = names_.find(key[0].i);
              if (found == names_.end()) return false;
              row[0] = key[0];
              row[1] = Datum::Text(found->second);
              return true;
            }));
  }

  void AddJoin(bool left) {
    JoinPlan join;
    join.left = left;
    join.key = {Column(1, Type::kBigint)};
    plan_.join = std::move(join);
    AddOutput(&plan_, "name", Column(3, Type::kVarchar));
    Start();
  }

  absl::Status Apply(int64_t id, Datum x, EventOrder order) {
    const Datum columns[] = {Datum::Int(id), x};
    return testing::Feed(fold_.get(), {.order = order, .columns = columns});
  }
  Texts Rows() { return store_.Texts(schema_); }

  SourcePlan source_;
  SourcePlan joined_;
  ViewPlan plan_;
  RowSchema schema_;
  FakeStore store_;
  std::map<int64_t, std::string> names_ = {{1, "one"}, {2, "two"}};
  absl::Status table_error_;
  std::unique_ptr<ViewFold> fold_;
};

TEST_F(KeyedFoldTest, TheLastByEventOrderWins) {
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(100, 1, 5)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  const struct {
    EventOrder order;
    bool wins;
  } kCases[] = {
      {At(99, 9, 9), false},  {At(100, 0, 9), false}, {At(100, 1, 4), false},
      {At(100, 1, 5), false}, {At(100, 1, 6), true},  {At(100, 2, 0), true},
      {At(101, 0, 0), true},
  };
  int64_t x = 20;
  for (const auto& test : kCases) {
    const Texts before = Rows();
    EXPECT_TRUE(Apply(1, Datum::Int(x), test.order).ok());
    EXPECT_EQ(store_.Commit(fold_.get()), test.wins ? 1 : 0);
    const Texts after = {absl::StrCat("1|", 100 / x)};
    EXPECT_EQ(Rows(), test.wins ? after : before);
    x += 10;
  }
  // The order is stored: a late event loses after a restart, too.
  Start();
  EXPECT_TRUE(Apply(1, Datum::Int(1), At(100, 9, 9)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
}

TEST_F(KeyedFoldTest, WhereFilters) {
  plan_.where = Compare(Op::kGreater, Column(1, Type::kBigint),
                        Constant(Type::kBigint, Datum::Int(5)));
  Start();
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(1, 0, 0)).ok());
  EXPECT_TRUE(Apply(1, Datum::Int(1), At(2, 0, 1)).ok());
  EXPECT_TRUE(Apply(1, Datum::Null(), At(3, 0, 2)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"1|10"}));
}

TEST_F(KeyedFoldTest, AnEventThatFailsHasNoEffectEarlyOrLate) {
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(100, 0, 0)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  for (const int64_t time : {50, 150}) {
    const absl::Status status = Apply(1, Datum::Int(0), At(time, 0, 1));
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(status.message(), "division by zero: 100 / 0");
    EXPECT_EQ(store_.Commit(fold_.get()), 0);
  }
}

TEST_F(KeyedFoldTest, SeveralChangesOfAKeyAreOne) {
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(1, 0, 0)).ok());
  EXPECT_TRUE(Apply(1, Datum::Int(20), At(2, 0, 1)).ok());
  EXPECT_TRUE(Apply(2, Datum::Null(), At(3, 0, 2)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 2);
  EXPECT_EQ(Rows(), Texts({"1|5", "2|NULL"}));
}

TEST_F(KeyedFoldTest, InnerJoinNeedsARow) {
  AddJoin(/*left=*/false);
  EXPECT_TRUE(Apply(1, Datum::Int(1), At(1, 0, 0)).ok());
  EXPECT_TRUE(Apply(2, Datum::Int(9), At(1, 0, 1)).ok());  // no such row
  EXPECT_TRUE(Apply(3, Datum::Null(), At(1, 0, 2)).ok());  // NULL key
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"1|100|\"one\""}));
}

TEST_F(KeyedFoldTest, LeftJoinFillsWithNulls) {
  AddJoin(/*left=*/true);
  EXPECT_TRUE(Apply(1, Datum::Int(2), At(1, 0, 0)).ok());
  EXPECT_TRUE(Apply(2, Datum::Int(10), At(1, 0, 1)).ok());
  EXPECT_TRUE(Apply(3, Datum::Null(), At(1, 0, 2)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 3);
  EXPECT_EQ(Rows(), Texts({"1|50|\"two\"", "2|10|NULL", "3|NULL|NULL"}));
}

TEST_F(KeyedFoldTest, AFailedTableLookupIsPassedUp) {
  AddJoin(/*left=*/true);
  table_error_ = absl::DataLossError("disk");
  EXPECT_EQ(Apply(1, Datum::Int(2), At(1, 0, 0)).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(fold_->dirty_keys(), 0u);
}

TEST_F(KeyedFoldTest, CurrentRowSeesUncommittedChanges) {
  std::string key;
  EncodeKey({Type::kBigint}, {Datum::Int(1)}, &key);
  absl::string_view row;
  EXPECT_FALSE(fold_->CurrentRow(key, &row).value());
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(1, 0, 0)).ok());
  EXPECT_TRUE(fold_->CurrentRow(key, &row).value());
  EXPECT_EQ(FakeStore::Text(schema_, row), "1|10");
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_TRUE(fold_->CurrentRow(key, &row).value());
  EXPECT_EQ(FakeStore::Text(schema_, row), "1|10");
}

TEST_F(KeyedFoldTest, AdmitsWhatWhereMayPassWithoutTheTable) {
  const auto admits = [this](Datum id, Datum x) {
    const Datum columns[] = {id, x};
    return fold_->Admits({.order = At(1, 0, 0), .columns = columns});
  };
  EXPECT_TRUE(admits(Datum::Int(1), Datum::Int(0)).value());
  // 100 / x > 5
  plan_.where = Compare(Op::kGreater, plan_.outputs[1],
                        Constant(Type::kBigint, Datum::Int(5)));
  Start();
  EXPECT_TRUE(admits(Datum::Int(1), Datum::Int(10)).value());
  EXPECT_FALSE(admits(Datum::Int(1), Datum::Int(50)).value());
  EXPECT_FALSE(admits(Datum::Int(1), Datum::Null()).value());
  EXPECT_EQ(admits(Datum::Int(1), Datum::Int(0)).status().code(),
            absl::StatusCode::kOutOfRange);
  AddJoin(/*left=*/false);
  EXPECT_FALSE(admits(Datum::Int(1), Datum::Int(50)).value());
  // What the table has is known only as the event is folded.
  plan_.where = Compare(Op::kEqual, Column(3, Type::kVarchar),
                        Constant(Type::kVarchar, Datum::Text("x")));
  Start();
  EXPECT_TRUE(admits(Datum::Int(1), Datum::Int(50)).value());
  EXPECT_EQ(store_.lookups, 0);
}

TEST_F(KeyedFoldTest, AKeylessViewHasARowForEveryRecord) {
  plan_.keyless = true;
  plan_.retention_us = 100;
  AddOutput(&plan_, "kafka_partition", Column(2, Type::kInt));
  AddOutput(&plan_, "kafka_offset", Column(3, Type::kBigint));
  plan_.key_columns = {2, 3};
  Start();
  EXPECT_TRUE(Apply(7, Datum::Int(10), At(1, 1, 5)).ok());
  EXPECT_TRUE(Apply(7, Datum::Int(20), At(1, 0, 9)).ok());
  EXPECT_TRUE(Apply(7, Datum::Int(20), At(1, 0, 10)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 3);
  EXPECT_EQ(Rows(), Texts({"7|5|0|9", "7|5|0|10", "7|10|1|5"}));
}

TEST_F(KeyedFoldTest, TheRecordsPlaceStandsBehindTheJoinedTable) {
  plan_.keyless = true;
  plan_.retention_us = 100;
  AddJoin(/*left=*/true);
  AddOutput(&plan_, "kafka_partition", Column(4, Type::kInt));
  AddOutput(&plan_, "kafka_offset", Column(5, Type::kBigint));
  plan_.key_columns = {3, 4};
  Start();
  EXPECT_TRUE(Apply(7, Datum::Int(2), At(1, 1, 5)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"7|50|\"two\"|1|5"}));
}

// Rows leave 100 us after their last event.
class KeyedRetentionTest : public KeyedFoldTest {
 protected:
  KeyedRetentionTest() {
    plan_.retention_us = 100;
    plan_.where = Compare(Op::kNotEqual, Column(1, Type::kBigint),
                          Constant(Type::kBigint, Datum::Int(-1)));
    Open(kNoEventTime);
  }
  void Open(EventTime watermark) {
    Start();
    EXPECT_TRUE(fold_->Open(watermark).ok());
  }
  void Advance(int64_t watermark) {
    EXPECT_TRUE(fold_->Advance(EventTime(watermark)).ok());
  }
  bool IsLate(int64_t id, int64_t x, int64_t time) {
    const Datum columns[] = {Datum::Int(id), Datum::Int(x)};
    LateEvent late;
    EXPECT_TRUE(
        fold_->Apply({.order = At(time, 0, 0), .columns = columns}, &late)
            .ok());
    EXPECT_TRUE(late.windows.empty());
    return late.late;
  }
};

TEST_F(KeyedRetentionTest, ARowLeavesWithItsStateAsTheWatermarkReachesIt) {
  EXPECT_EQ(fold_->next_timer(), kNeverEventTime);
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(10, 0, 0)).ok());
  EXPECT_TRUE(Apply(2, Datum::Int(20), At(50, 0, 1)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 2);
  EXPECT_EQ(fold_->next_timer(), EventTime(110));
  Advance(109);
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
  Advance(110);
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"2|5"}));
  EXPECT_EQ(store_.rows.size(), 1u);
  EXPECT_EQ(fold_->next_timer(), EventTime(150));
  Advance(1'000);
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_TRUE(store_.rows.empty());
  EXPECT_EQ(fold_->next_timer(), kNeverEventTime);
}

TEST_F(KeyedRetentionTest, ANewerEventKeepsTheRow) {
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(10, 0, 0)).ok());
  EXPECT_TRUE(Apply(1, Datum::Int(20), At(60, 0, 1)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  Advance(110);
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
  EXPECT_EQ(Rows(), Texts({"1|5"}));
  EXPECT_EQ(fold_->next_timer(), EventTime(160));
}

TEST_F(KeyedRetentionTest, WhatComesAndLeavesWithinACommitIsNoChange) {
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(10, 0, 0)).ok());
  Advance(110);
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
  EXPECT_TRUE(store_.rows.empty());
  // A row that left and came back is one change.
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(20, 0, 1)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  Advance(120);
  EXPECT_TRUE(Apply(1, Datum::Int(20), At(30, 0, 2)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"1|5"}));
}

TEST_F(KeyedRetentionTest, AnEventPastItOnArrivalIsLateIfWherePassesIt) {
  Advance(200);
  EXPECT_TRUE(IsLate(1, 10, 100));
  EXPECT_TRUE(IsLate(1, 0, 100));    // its expressions do not matter
  EXPECT_FALSE(IsLate(1, -1, 100));  // WHERE
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
  EXPECT_FALSE(IsLate(1, 10, 101));
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
}

TEST_F(KeyedRetentionTest, AnEventWithoutEventTimeIsRefused) {
  const Datum columns[] = {Datum::Int(1), Datum::Int(10)};
  Event event{.order = At(1, 0, 0), .columns = columns};
  event.no_event_time = true;
  const absl::Status status = testing::Feed(fold_.get(), event);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "no event time");
  // A view that needs none folds it.
  plan_.retention_us.reset();
  Start();
  EXPECT_TRUE(testing::Feed(fold_.get(), event).ok());
}

TEST_F(KeyedRetentionTest, TheLatestTimesDoNotOverflow) {
  const int64_t last = kNeverEventTime.value();
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(last - 100, 0, 0)).ok());
  EXPECT_TRUE(Apply(2, Datum::Int(10), At(last, 0, 1)).ok());
  Advance(last - 1);
  EXPECT_EQ(store_.Commit(fold_.get()), 2);
}

TEST_F(KeyedRetentionTest, OpenFindsAgainWhatIsToLeave) {
  EXPECT_TRUE(Apply(1, Datum::Int(10), At(10, 0, 0)).ok());
  EXPECT_TRUE(Apply(2, Datum::Int(20), At(50, 0, 1)).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 2);
  Open(EventTime(100));
  EXPECT_EQ(fold_->next_timer(), EventTime(110));
  EXPECT_TRUE(IsLate(3, 10, 0));
  Advance(120);
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"2|5"}));

  store_.fail_with = absl::UnavailableError("disk");
  Start();
  EXPECT_EQ(fold_->Open(EventTime(120)), store_.fail_with);
  store_.fail_with = absl::OkStatus();
  store_.rows.begin()->second.state += "x";
  Start();
  EXPECT_EQ(fold_->Open(EventTime(120)),
            absl::DataLossError("view=v: malformed state"));
}

TEST_F(KeyedRetentionTest, AKeyOfManyEventsTakesNoMoreMemoryThanOfOne) {
  const auto apply = [this](int64_t time) {
    EXPECT_TRUE(Apply(1, Datum::Int(10), At(1'000 + time, 0, time)).ok());
    EXPECT_EQ(store_.Commit(fold_.get()), 1);
  };
  apply(0);
  const size_t bytes = fold_->cached_bytes();
  for (int64_t time = 1; time < 90; ++time) apply(time);
  EXPECT_EQ(fold_->cached_bytes(), bytes);
}

// All that was folded, and what SQL says of it.
struct RetentionModel {
  struct Row {
    int64_t id = 0;
    int64_t x = 0;
    EventOrder order;
  };
  static constexpr int64_t kRetention = 100;
  int64_t watermark = -1'000;
  std::vector<Row> rows;

  bool Apply(const Row& row) {
    if (row.order.time.value() + kRetention <= watermark) return false;
    rows.push_back(row);
    return true;
  }
  std::map<int64_t, Row> Shown() const {
    std::map<int64_t, Row> last;
    for (const Row& row : rows) {
      const auto [at, added] = last.try_emplace(row.id, row);
      if (!added && row.order > at->second.order) at->second = row;
    }
    std::erase_if(last, [this](const auto& row) {
      return row.second.order.time.value() + kRetention <= watermark;
    });
    return last;
  }
};

TEST_F(KeyedRetentionTest, EqualsTheModelWhateverComesBetween) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  const auto below = [&random](int64_t limit) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(limit));
  };
  int64_t late_events = 0, expired = 0, restarts = 0, offset = 0;
  for (int round = 0; round < 100; ++round) {
    store_ = FakeStore();
    RetentionModel model;
    RetentionModel committed;
    const auto open = [&] {
      model = committed;
      fold_ = ViewFold::Create(
          &plan_, &source_, nullptr, &schema_,
          store_.Sources(testing::NoTable()),
          /*max_cached_keys=*/round % 2 == 0 ? 4 : kMaxCachedKeys);
      ASSERT_TRUE(fold_->Open(EventTime(model.watermark)).ok());
    };
    open();
    for (int step = 0; step < 400; ++step) {
      const int64_t what = below(20);
      if (what < 15) {
        const RetentionModel::Row row{
            below(15), below(9) + 1,
            At(model.watermark + 50 - below(170),
               static_cast<int32_t>(below(3)), ++offset)};
        const Datum columns[] = {Datum::Int(row.id), Datum::Int(row.x)};
        LateEvent late;
        ASSERT_TRUE(
            fold_->Apply({.order = row.order, .columns = columns}, &late).ok());
        ASSERT_EQ(late.late, !model.Apply(row));
        late_events += late.late ? 1 : 0;
      } else if (what < 17) {
        const size_t shown = model.Shown().size();
        model.watermark += below(60);
        Advance(model.watermark);
        expired += static_cast<int64_t>(shown - model.Shown().size());
        ASSERT_GT(fold_->next_timer(), EventTime(model.watermark));
      } else if (what < 19) {
        store_.Commit(fold_.get());
        committed = model;
        Texts texts;
        EventTime next = kNeverEventTime;
        for (const auto& [id, row] : model.Shown()) {
          texts.push_back(absl::StrCat(id, "|", 100 / row.x));
          next = std::min(next, Later(row.order.time, 100));
        }
        ASSERT_EQ(Rows(), texts);
        ASSERT_EQ(store_.rows.size(), texts.size());
        ASSERT_LE(fold_->next_timer(), next);
        if (texts.empty()) {
          ASSERT_EQ(fold_->next_timer(), kNeverEventTime);
        }
      } else if (below(5) == 0) {
        open();  // what was not committed is lost
        ++restarts;
      }
    }
  }
  EXPECT_GT(late_events, 0);
  EXPECT_GT(expired, 0);
  EXPECT_GT(restarts, 0);
}

}  // namespace
}  // namespace tidegate
