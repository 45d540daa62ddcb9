// Ungrouped views with lag(): KeyedFold over LagState.
#include <optional>

#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"
#include "views/fold/keyed_fold.h"

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

// Of the source (p VARCHAR, id BIGINT, x BIGINT, s VARCHAR); lag columns follow
// them in the input row.
constexpr int kFirstLag = 4;

Expr X() { return Column(2, Type::kBigint); }

LagCall Lag(Expr argument, int64_t distance = 1,
            std::optional<Expr> otherwise = std::nullopt) {
  return {.argument = std::move(argument),
          .distance = distance,
          .default_constant = std::move(otherwise)};
}

class LagFoldTest : public ::testing::Test {
 protected:
  LagFoldTest()
      : source_(testing::Source({{"p", Type::kVarchar},
                                 {"id", Type::kBigint},
                                 {"x", Type::kBigint},
                                 {"s", Type::kVarchar}})) {
    plan_.name = "v";
    plan_.ordered = true;
    plan_.partition_by = {Column(0, Type::kVarchar)};
    AddOutput(&plan_, "id", Column(1, Type::kBigint));
    plan_.key_columns = {0};
  }

  // Adds a lag and an output that is it.
  void AddLag(LagCall call, int first_lag = kFirstLag) {
    const int place = first_lag + static_cast<int>(plan_.lags.size());
    AddOutput(&plan_, absl::StrCat("lag", place),
              Column(place, call.argument.type));
    plan_.lags.push_back(std::move(call));
  }

  void Start(size_t max_cached_keys = kMaxCachedKeys) {
    schema_ = testing::SchemaOf(plan_);
    FoldSources sources = store_.Sources(
        [this](Row key, EventTime, MutableRow row) -> absl::StatusOr<bool> {
          name_ =
              absl::StrCat("a name too long for a short string: ", key[0].i);
          row[0] = key[0];
          row[1] = Datum::Text(name_);
          return true;
        });
    sources.stored_state = states_.Lookup();
    fold_ = ViewFold::Create(&plan_, &source_, plan_.join ? &joined_ : nullptr,
                             &schema_, std::move(sources), max_cached_keys);
    ASSERT_TRUE(fold_->Open(watermark_).ok());
  }
  absl::Status Apply(Datum p, int64_t id, Datum x, absl::string_view s = "") {
    const Datum columns[] = {p, Datum::Int(id), x, Datum::Text(s)};
    ++time_;
    return testing::Feed(fold_.get(),
                         {.order = At(time_, 0, time_), .columns = columns});
  }
  absl::Status Apply(absl::string_view p, int64_t id, int64_t x) {
    return Apply(Datum::Text(p), id, Datum::Int(x));
  }
  // How many states changed.
  int Commit() {
    const int changes = states_.CommitState(
        [this](auto sink) { return fold_->DrainState(sink); });
    store_.Commit(fold_.get());
    return changes;
  }
  Texts Rows() {
    Commit();
    return store_.Texts(schema_);
  }

  SourcePlan source_;
  SourcePlan joined_;
  ViewPlan plan_;
  RowSchema schema_;
  FakeStore store_;
  FakeStore states_;
  std::string name_;
  int64_t time_ = 0;
  EventTime watermark_ = kNoEventTime;
  std::unique_ptr<ViewFold> fold_;
};

TEST_F(LagFoldTest, LooksBackWithinItsPartition) {
  AddLag(Lag(X()));
  AddLag(Lag(X(), 2, Constant(Type::kBigint, Datum::Int(-7))));
  Start();
  EXPECT_TRUE(Apply("a", 1, 10).ok());
  EXPECT_TRUE(Apply("b", 2, 20).ok());
  EXPECT_TRUE(Apply(Datum::Text("a"), 3, Datum::Null()).ok());
  EXPECT_TRUE(Apply("a", 4, 40).ok());
  EXPECT_TRUE(Apply("b", 5, 50).ok());
  EXPECT_TRUE(Apply("a", 6, 60).ok());
  // A NULL is a value: the default is for where there is none.
  EXPECT_EQ(Rows(), Texts({"1|NULL|-7", "2|NULL|-7", "3|10|-7", "4|NULL|10",
                           "5|20|-7", "6|40|NULL"}));
  EXPECT_EQ(states_.rows.size(), 2u);
}

TEST_F(LagFoldTest, NullIsAPartitionAndNoneIsOne) {
  AddLag(Lag(X()));
  Start();
  EXPECT_TRUE(Apply(Datum::Null(), 1, Datum::Int(10)).ok());
  EXPECT_TRUE(Apply("", 2, 20).ok());
  EXPECT_TRUE(Apply(Datum::Null(), 3, Datum::Int(30)).ok());
  EXPECT_EQ(Rows(), Texts({"1|NULL", "2|NULL", "3|10"}));
  store_ = states_ = FakeStore();
  plan_.partition_by.clear();
  Start();
  EXPECT_TRUE(Apply("a", 1, 10).ok());
  EXPECT_TRUE(Apply("b", 2, 20).ok());
  EXPECT_EQ(Rows(), Texts({"1|NULL", "2|10"}));
}

TEST_F(LagFoldTest, OnlyWhatWherePassesCounts) {
  AddLag(Lag(X()));
  plan_.where =
      Compare(Op::kLess, X(), Constant(Type::kBigint, Datum::Int(100)));
  Start();
  EXPECT_TRUE(Apply("a", 1, 10).ok());
  EXPECT_TRUE(Apply("a", 2, 100).ok());
  EXPECT_TRUE(Apply("a", 3, 30).ok());
  EXPECT_EQ(Rows(), Texts({"1|NULL", "3|10"}));
}

TEST_F(LagFoldTest, AnEventThatFailsDoesNotCountForLaterOnes) {
  AddLag(Lag(X()));
  AddOutput(&plan_, "q",
            Binary(Op::kDivide, Constant(Type::kBigint, Datum::Int(100)), X(),
                   Type::kBigint));
  // Fails once the lag is 10.
  AddOutput(
      &plan_, "r",
      Binary(Op::kDivide, Constant(Type::kBigint, Datum::Int(100)),
             Binary(Op::kSubtract, Column(kFirstLag, Type::kBigint),
                    Constant(Type::kBigint, Datum::Int(10)), Type::kBigint),
             Type::kBigint));
  Start();
  EXPECT_TRUE(Apply("a", 1, 20).ok());
  EXPECT_EQ(Commit(), 1);
  EXPECT_EQ(Apply("a", 2, 0).message(), "division by zero: 100 / 0");
  EXPECT_EQ(fold_->dirty_keys(), 0u);
  EXPECT_EQ(Commit(), 0);
  EXPECT_TRUE(Apply("a", 3, 10).ok());
  for (const int64_t id : {4, 5}) {
    EXPECT_EQ(Apply("a", id, 30).code(), absl::StatusCode::kOutOfRange);
  }
  EXPECT_EQ(Rows(), Texts({"1|NULL|5|NULL", "3|20|10|10"}));
}

TEST_F(LagFoldTest, FailingPartitionsArgumentsAndDefaultsChangeNothing) {
  const Expr fails = Binary(Op::kDivide, Constant(Type::kBigint, Datum::Int(1)),
                            X(), Type::kBigint);
  AddLag(Lag(fails, 1));
  Start();
  EXPECT_FALSE(Apply("a", 1, 0).ok());
  EXPECT_TRUE(Apply("a", 2, 1).ok());
  EXPECT_EQ(Rows(), Texts({"2|NULL"}));

  plan_.partition_by = {fails};
  Start();
  EXPECT_FALSE(Apply("a", 3, 0).ok());

  plan_.partition_by = {X()};
  plan_.lags[0] =
      Lag(X(), 1,
          Binary(Op::kDivide, Constant(Type::kBigint, Datum::Int(1)),
                 Constant(Type::kBigint, Datum::Int(0)), Type::kBigint));
  Start();
  EXPECT_FALSE(Apply("a", 4, 5).ok());
  EXPECT_EQ(Commit(), 0);
  EXPECT_EQ(Rows(), Texts({"2|NULL"}));
}

TEST_F(LagFoldTest, TextIsKeptAfterTheRowItWasReadFromIsGone) {
  plan_.join = JoinPlan();
  plan_.join->key = {X()};
  joined_ = testing::Source({{"x", Type::kBigint}, {"name", Type::kVarchar}});
  const int first_lag = kFirstLag + 2;
  AddLag(Lag(Column(5, Type::kVarchar)), first_lag);
  AddLag(Lag(Binary(Op::kConcat, Column(3, Type::kVarchar),
                    Constant(Type::kVarchar, Datum::Text("!")), Type::kVarchar),
             1, Constant(Type::kVarchar, Datum::Text("none"))),
         first_lag);
  Start();
  EXPECT_TRUE(Apply(Datum::Text("a"), 1, Datum::Int(10), "one").ok());
  name_.assign(100, 'x');
  EXPECT_TRUE(Apply(Datum::Text("a"), 2, Datum::Int(20), "two").ok());
  EXPECT_TRUE(Apply(Datum::Text("a"), 3, Datum::Int(30), "three").ok());
  EXPECT_EQ(Rows(),
            Texts({"1|NULL|\"none\"",
                   "2|\"a name too long for a short string: 10\"|\"one!\"",
                   "3|\"a name too long for a short string: 20\"|\"two!\""}));
}

TEST_F(LagFoldTest, GoesOnFromWhatIsStored) {
  AddLag(Lag(X(), 2));
  Start();
  EXPECT_TRUE(Apply("a", 1, 10).ok());
  EXPECT_TRUE(Apply("a", 2, 20).ok());
  EXPECT_EQ(Commit(), 1);
  EXPECT_TRUE(Apply("a", 9, 90).ok());  // not committed
  Start();
  EXPECT_TRUE(Apply("a", 3, 30).ok());
  EXPECT_TRUE(Apply("a", 4, 40).ok());
  EXPECT_EQ(Rows(), Texts({"1|NULL", "2|NULL", "3|10", "4|20"}));
}

TEST_F(LagFoldTest, ValuesThatRepeatAreNoChangeOfState) {
  AddLag(Lag(X(), 2));
  Start();
  EXPECT_TRUE(Apply("a", 1, 10).ok());
  EXPECT_TRUE(Apply("a", 2, 10).ok());
  EXPECT_EQ(Commit(), 1);
  EXPECT_TRUE(Apply("a", 3, 10).ok());
  EXPECT_EQ(Commit(), 0);
  EXPECT_TRUE(Apply("a", 4, 20).ok());
  EXPECT_EQ(Commit(), 1);
}

TEST_F(LagFoldTest, MalformedStateIsDataLoss) {
  AddLag(Lag(X(), 2));
  AddLag(Lag(Column(3, Type::kVarchar)));
  Start();
  EXPECT_TRUE(Apply("a", 1, 10).ok());
  EXPECT_EQ(Commit(), 1);
  const std::string good = states_.rows.begin()->second.state;
  const absl::Status expected =
      absl::DataLossError("view=v: malformed state of lag");
  for (size_t size = 1; size < good.size(); ++size) {
    states_.rows.begin()->second.state = good.substr(0, size);
    Start();
    EXPECT_EQ(Apply("a", 2, 10), expected) << size;
  }
  for (const std::string& bad : {good + "x", "\x03" + good.substr(1)}) {
    states_.rows.begin()->second.state = bad;
    Start();
    EXPECT_EQ(Apply("a", 2, 10), expected);
  }
  states_.rows.begin()->second.state = good;
  Start();
  EXPECT_TRUE(Apply("a", 2, 10).ok());
}

TEST_F(LagFoldTest, AFailedLookUpIsPassedUpAndChangesNothing) {
  AddLag(Lag(X()));
  Start();
  states_.fail_with = absl::UnavailableError("disk");
  EXPECT_EQ(Apply("a", 1, 10), states_.fail_with);
  EXPECT_EQ(fold_->dirty_keys(), 0u);
}

TEST_F(LagFoldTest, LooksBackAsFarAsAllowedWithASmallCache) {
  AddLag(Lag(X(), kMaxLagDistance));
  plan_.key_columns = {0};
  Start(/*max_cached_keys=*/100);  // one key of that many values
  const absl::string_view partitions[] = {"a", "b", "c"};
  for (int64_t n = 0; n < 3 * (kMaxLagDistance + 50); ++n) {
    ASSERT_TRUE(Apply(partitions[n % 3], n % 30, n).ok());
    if (n % 100 == 0) Commit();
  }
  Texts expected;
  for (int64_t id = 0; id < 30; ++id) {
    const int64_t last = 3 * (kMaxLagDistance + 50) - 30 + id;
    expected.push_back(absl::StrCat(id, "|", last - 3 * kMaxLagDistance));
  }
  EXPECT_EQ(Rows(), expected);
  EXPECT_GT(states_.lookups, 3);
}

TEST_F(LagFoldTest, LagOutlivesTheRetentionOfRows) {
  AddLag(Lag(X()));
  plan_.retention_us = 100;
  Start();
  EXPECT_TRUE(Apply("a", 1, 10).ok());
  EXPECT_EQ(Rows(), Texts({"1|NULL"}));
  EXPECT_TRUE(fold_->Advance(EventTime(1'000)).ok());
  EXPECT_EQ(Rows(), Texts());
  EXPECT_EQ(states_.rows.size(), 1u);
  time_ = 1'000;
  EXPECT_TRUE(Apply("a", 2, 20).ok());
  EXPECT_EQ(Rows(), Texts({"2|10"}));
}

}  // namespace
}  // namespace tidegate
