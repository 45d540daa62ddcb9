#include "views/fold/grouped_fold.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::AddAggregate;
using testing::AddOutput;
using testing::At;
using testing::Binary;
using testing::Column;
using testing::Compare;
using testing::Constant;
using testing::FakeStore;

// SELECT k, count(*) AS n, sum(x) AS total, 100 / sum(x) AS share, max(10 / x)
// AS top FROM source WHERE x <> 13 GROUP BY k
class GroupedFoldTest : public ::testing::Test {
 protected:
  GroupedFoldTest()
      : source_(
            testing::Source({{"k", Type::kVarchar}, {"x", Type::kBigint}})) {
    const auto x = [] { return Column(1, Type::kBigint); };
    const auto number = [](int64_t n) {
      return Constant(Type::kBigint, Datum::Int(n));
    };
    plan_.name = "v";
    plan_.grouped = true;
    plan_.where = Compare(Op::kNotEqual, x(), number(13));
    plan_.group_by = {Column(0, Type::kVarchar)};
    AddOutput(&plan_, "k", Column(0, Type::kVarchar));
    plan_.key_columns = {0};
    AddAggregate(&plan_, "n", {.kind = AggregateKind::kCountStar});
    AddAggregate(&plan_, "total",
                 {.kind = AggregateKind::kSum, .argument = x()});
    AddOutput(&plan_, "share",
              Binary(Op::kDivide, number(100), Column(2, Type::kBigint),
                     Type::kBigint));
    AddAggregate(
        &plan_, "top",
        {.kind = AggregateKind::kMax,
         .argument = Binary(Op::kDivide, number(10), x(), Type::kBigint)});
    Start();
  }

  void Start(size_t max_keys = kMaxCachedKeys) {
    schema_ = testing::SchemaOf(plan_);
    fold_ = ViewFold::Create(&plan_, &source_, nullptr, &schema_,
                             store_.Sources(testing::NoTable()), max_keys);
  }

  absl::Status Apply(Datum k, Datum x) {
    const Datum columns[] = {k, x};
    return testing::Feed(fold_.get(),
                         {.order = At(0, 0, offset_++), .columns = columns});
  }
  absl::Status Apply(const char* k, int64_t x) {
    return Apply(Datum::Text(k), Datum::Int(x));
  }
  // What Drain says; its changes are of no interest.
  absl::Status Drained() {
    return fold_->Drain([](const FoldedChange&) {});
  }
  std::vector<std::string> Rows() { return store_.Texts(schema_); }
  using Texts = std::vector<std::string>;

  SourcePlan source_;
  ViewPlan plan_;
  RowSchema schema_;
  FakeStore store_;
  std::unique_ptr<ViewFold> fold_;
  int64_t offset_ = 0;
};

TEST_F(GroupedFoldTest, FoldsAndFilters) {
  EXPECT_TRUE(Apply("a", 5).ok());
  EXPECT_TRUE(Apply("b", 2).ok());
  EXPECT_TRUE(Apply("a", 20).ok());
  EXPECT_TRUE(Apply("a", 13).ok());                          // WHERE is FALSE
  EXPECT_TRUE(Apply(Datum::Text("a"), Datum::Null()).ok());  // WHERE is NULL
  EXPECT_TRUE(Apply(Datum::Null(), Datum::Int(1)).ok());
  EXPECT_GE(fold_->dirty_keys(), 3u);
  EXPECT_EQ(store_.Commit(fold_.get()), 3);
  EXPECT_EQ(Rows(),
            Texts({"\"a\"|2|25|4|2", "\"b\"|1|2|50|5", "NULL|1|1|100|10"}));
}

TEST_F(GroupedFoldTest, DrainReportsOnlyChangedKeys) {
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_TRUE(Apply("b", 1).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 2);
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
  EXPECT_TRUE(Apply("b", 1).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"\"a\"|1|1|100|10", "\"b\"|2|2|50|10"}));
}

TEST_F(GroupedFoldTest, KeysWithEqualBytesAreNotReported) {
  // Only max(10 / x): a smaller value changes nothing.
  plan_.outputs = {Column(0, Type::kVarchar), Column(1, Type::kBigint)};
  plan_.columns = {{"k", Type::kVarchar}, {"top", Type::kBigint}};
  plan_.aggregates = {plan_.aggregates[2]};
  Start();
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_TRUE(Apply("a", 2).ok());
  EXPECT_EQ(fold_->dirty_keys(), 1u);
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
}

TEST_F(GroupedFoldTest, AnEventThatFailsHasNoEffect) {
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  // max(10 / x) fails after count(*) and sum(x) were evaluated.
  for (const char* key : {"a", "new"}) {
    const absl::Status status = Apply(key, 0);
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(status.message(), "division by zero: 10 / 0");
  }
  EXPECT_EQ(fold_->dirty_keys(), 0u);
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"\"a\"|2|2|50|10"}));
}

TEST_F(GroupedFoldTest, AFailedLookupIsToldByDrainAtTheLatest) {
  store_.fail_with = absl::DataLossError("disk");
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_EQ(Drained().message(), "disk");
}

TEST_F(GroupedFoldTest, AFailedLookupIsToldBeforeManyMoreEvents) {
  store_.fail_with = absl::DataLossError("disk");
  absl::Status status;
  for (int64_t n = 0; n < 100 && status.ok(); ++n) status = Apply("a", 1);
  EXPECT_EQ(status.message(), "disk");
}

// Whatever is put off comes in, and text that has gone since was kept.
TEST_F(GroupedFoldTest, ManyEventsOfManyKeys) {
  plan_.outputs = {Column(0, Type::kVarchar), Column(1, Type::kVarchar)};
  plan_.columns = {{"k", Type::kVarchar}, {"least", Type::kVarchar}};
  plan_.aggregates = {{.kind = AggregateKind::kMin,
                       .argument = Column(0, Type::kVarchar),
                       .result = Type::kVarchar}};
  for (const size_t events : {1, 15, 16, 17, 100}) {
    store_.rows.clear();
    Start();
    for (size_t n = 0; n < events; ++n) {
      const std::string key = absl::StrCat("a key of some length ", n % 40);
      EXPECT_TRUE(Apply(key.c_str(), 1).ok());
    }
    EXPECT_EQ(store_.Commit(fold_.get()), std::min<int>(events, 40));
    for (size_t n = 0; n < std::min<size_t>(events, 40); ++n) {
      const std::string key = absl::StrCat("\"a key of some length ", n, "\"");
      EXPECT_THAT(Rows(), ::testing::Contains(absl::StrCat(key, "|", key)));
    }
  }
}

TEST_F(GroupedFoldTest, MalformedStateIsDataLoss) {
  std::string key;
  EncodeKey({Type::kVarchar}, {Datum::Text("a")}, &key);
  store_.rows[key] = {.has_row = true, .row = "", .state = "\x01"};
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_EQ(Drained().code(), absl::StatusCode::kDataLoss);
}

TEST_F(GroupedFoldTest, OutputsThatFailReadNullAndAreCounted) {
  EXPECT_TRUE(Apply("a", 5).ok());
  EXPECT_TRUE(Apply("a", -5).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"\"a\"|2|0|NULL|2"}));
  EXPECT_EQ(fold_->output_errors(), 1);
  EXPECT_EQ(fold_->last_output_error().message(),
            "view=v column=share: division by zero: 100 / 0");
  // A sum out of range takes what reads it with it, and comes back.
  EXPECT_TRUE(Apply("a", INT64_MAX).ok());
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"\"a\"|4|NULL|NULL|10"}));
  EXPECT_EQ(fold_->output_errors(), 3);
  EXPECT_TRUE(Apply("a", -1).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"\"a\"|5|9223372036854775807|0|10"}));
  EXPECT_EQ(fold_->output_errors(), 3);
}

TEST_F(GroupedFoldTest, CurrentRowSeesUncommittedChanges) {
  std::string key;
  EncodeKey({Type::kVarchar}, {Datum::Text("a")}, &key);
  absl::string_view row;
  EXPECT_FALSE(fold_->CurrentRow(key, &row).value());
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_TRUE(fold_->CurrentRow(key, &row).value());
  EXPECT_EQ(FakeStore::Text(schema_, row), "\"a\"|1|1|100|10");
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_TRUE(fold_->CurrentRow(key, &row).value());
  EXPECT_EQ(FakeStore::Text(schema_, row), "\"a\"|1|1|100|10");
}

TEST_F(GroupedFoldTest, GoesOnFromWhatIsStored) {
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  Start();
  EXPECT_TRUE(Apply("a", 2).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"\"a\"|2|3|33|10"}));
}

// Stored: it must not change.
TEST_F(GroupedFoldTest, StateIsThatOfTheAggregatesAlone) {
  EXPECT_TRUE(Apply("a", 5).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(store_.rows.begin()->second.state,
            absl::string_view("\x01\x01\x00\x05\x01\x04", 6));
}

TEST_F(GroupedFoldTest, TheCacheIsBounded) {
  Start(/*max_keys=*/100);
  size_t most_bytes = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(Apply(absl::StrCat("k", round * 20 + i).c_str(), 1).ok());
    }
    store_.Commit(fold_.get());
    most_bytes = std::max(most_bytes, fold_->cached_bytes());
  }
  EXPECT_EQ(Rows().size(), 1'000u);
  EXPECT_GT(most_bytes, 0u);
  EXPECT_LT(most_bytes, 100u * 1'000);
  // Keys that were only looked at do not pile up either.
  absl::string_view row;
  for (int i = 0; i < 1'000; ++i) {
    const std::string text = absl::StrCat("k", i);
    std::string key;
    EncodeKey({Type::kVarchar}, {Datum::Text(text)}, &key);
    EXPECT_TRUE(fold_->CurrentRow(key, &row).value());
  }
  EXPECT_LT(fold_->cached_bytes(), 100u * 1'000);
}

TEST_F(GroupedFoldTest, WithoutGroupByThereIsOneRow) {
  ViewPlan plan;
  plan.grouped = true;
  AddAggregate(&plan, "n", {.kind = AggregateKind::kCountStar});
  plan_ = plan;
  Start();
  EXPECT_TRUE(Apply("a", 1).ok());
  EXPECT_TRUE(Apply("b", 1).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"2"}));
}

}  // namespace
}  // namespace tidegate
