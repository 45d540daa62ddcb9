#include "views/fold/keyed_fold.h"

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

}  // namespace
}  // namespace tidegate
