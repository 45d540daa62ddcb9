#include "views/pipeline/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "views/pipeline/test_pipeline.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::string_view kSql = R"sql(
CREATE SOURCE orders (
  order_id VARCHAR, driver_id BIGINT, amount BIGINT, note VARCHAR
) WITH (topic = 'orders') FORMAT PLAIN ENCODE JSON;
CREATE TABLE drivers (driver_id BIGINT PRIMARY KEY, name VARCHAR)
  WITH (topic = 'drivers') FORMAT UPSERT ENCODE JSON;
CREATE MATERIALIZED VIEW totals AS
  SELECT driver_id, count(*) AS n, sum(amount) AS total
  FROM orders GROUP BY driver_id;
CREATE MATERIALIZED VIEW named (PRIMARY KEY (order_id)) AS
  SELECT o.order_id, o.amount, d.name FROM orders o
  LEFT JOIN drivers FOR SYSTEM_TIME AS OF PROCTIME() AS d
  ON o.driver_id = d.driver_id;
CREATE MATERIALIZED VIEW shares (PRIMARY KEY (order_id))
  WITH (pipeline = 'own') AS
  SELECT o.order_id, 100 / o.amount AS share, d.name FROM orders o
  JOIN drivers FOR SYSTEM_TIME AS OF PROCTIME() AS d
  ON o.driver_id = d.driver_id;
CREATE MATERIALIZED VIEW parts WITH (pipeline = 'own') AS
  SELECT driver_id, 100 / sum(amount) AS part FROM orders GROUP BY driver_id;
)sql";

class PipelineTest : public ::testing::Test {
 protected:
  // Folds into the input that reads `source`.
  absl::Status Fold(const std::string& source,
                    const std::vector<Datum>& columns, bool deleted = false) {
    Event event;
    event.order.time = EventTime(offset_);
    event.order.offset = Offset(offset_++);
    event.columns = columns;
    event.deleted = deleted;
    const auto& inputs = test_->pipeline().inputs();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (test_->plans().sources[inputs[i].source].name == source) {
        return test_->pipeline().Fold(static_cast<int>(i), event, &diverted_);
      }
    }
    return absl::NotFoundError(source);
  }
  absl::Status Order(absl::string_view id, int64_t driver, int64_t amount) {
    return Fold("orders", {Datum::Text(id), Datum::Int(driver),
                           Datum::Int(amount), Datum::Null()});
  }
  absl::Status Driver(int64_t id, absl::string_view name) {
    return Fold("drivers", {Datum::Int(id), Datum::Text(name)});
  }
  absl::StatusOr<std::shared_ptr<const Commit>> CommitNow() {
    Positions positions = test_->store().positions();
    positions.partitions[{"orders", PartitionId(0)}].next_offset =
        Offset(offset_);
    return test_->pipeline().CommitPending(ProcessingTime(7), 5, positions);
  }
  void Open(absl::string_view pipeline) {
    test_ = std::make_unique<TestPipeline>(kSql, pipeline);
  }

  std::unique_ptr<TestPipeline> test_;
  std::vector<Diverted> diverted_;
  int64_t offset_ = 0;
};

TEST_F(PipelineTest, ReadsItsSourcesTablesFirst) {
  Open("default");
  const auto& inputs = test_->pipeline().inputs();
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_EQ(test_->plans().sources[inputs[0].source].name, "drivers");
  EXPECT_THAT(inputs[0].used_columns, ElementsAre(true, true));
  EXPECT_EQ(test_->plans().sources[inputs[1].source].name, "orders");
  EXPECT_THAT(inputs[1].used_columns, ElementsAre(true, true, true, false));
}

TEST_F(PipelineTest, AnEventReachesEveryViewOfItsSourceInOneCommit) {
  Open("default");
  ASSERT_TRUE(Driver(1, "ann").ok());
  ASSERT_TRUE(Order("a", 1, 10).ok());
  ASSERT_TRUE(Order("b", 2, 20).ok());
  ASSERT_TRUE(Order("c", 1, 30).ok());
  EXPECT_THAT(test_->Rows("totals"), IsEmpty());
  const auto commit = CommitNow();
  ASSERT_TRUE(commit.ok()) << commit.status();
  EXPECT_THAT(test_->Rows("drivers"), ElementsAre("1|ann"));
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|2|40", "2|1|20"));
  EXPECT_THAT(test_->Rows("named"),
              ElementsAre("a|10|ann", "b|20|NULL", "c|30|ann"));

  EXPECT_EQ((*commit)->first_record_ms(), 5);
  EXPECT_EQ((*commit)->committed_at(), ProcessingTime(7));
  ASSERT_EQ((*commit)->changes().size(), 6u);
  for (size_t i = 1; i < 6; ++i) {
    const Change& before = (*commit)->changes()[i - 1];
    const Change& change = (*commit)->changes()[i];
    EXPECT_TRUE(before.view < change.view ||
                (before.view == change.view && before.key < change.key));
  }
  EXPECT_THAT(diverted_, IsEmpty());
}

TEST_F(PipelineTest, JoinsSeeTheTableAsItIsAtThatMoment) {
  Open("default");
  ASSERT_TRUE(Driver(1, "ann").ok());
  ASSERT_TRUE(Order("a", 1, 10).ok());
  ASSERT_TRUE(Driver(1, "bea").ok());
  ASSERT_TRUE(Order("b", 1, 10).ok());
  ASSERT_TRUE(Fold("drivers", {Datum::Int(1), Datum::Null()}, true).ok());
  ASSERT_TRUE(Order("c", 1, 10).ok());
  ASSERT_TRUE(CommitNow().ok());
  EXPECT_THAT(test_->Rows("named"),
              ElementsAre("a|10|ann", "b|10|bea", "c|10|NULL"));
  EXPECT_THAT(test_->Rows("drivers"), IsEmpty());
}

TEST_F(PipelineTest, GoesOnFromTheStoreAfterARestart) {
  Open("default");
  ASSERT_TRUE(Driver(1, "ann").ok());
  ASSERT_TRUE(Order("a", 1, 10).ok());
  ASSERT_TRUE(CommitNow().ok());
  ASSERT_TRUE(test_->store().Checkpoint(ProcessingTime(1)).ok());
  ASSERT_TRUE(Order("b", 1, 20).ok());
  ASSERT_TRUE(CommitNow().ok());
  ASSERT_TRUE(Order("lost", 1, 1000).ok());
  test_->CrashAndReopen(CrashKind::kProcess, 0);
  ASSERT_TRUE(Order("c", 1, 30).ok());
  ASSERT_TRUE(CommitNow().ok());
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|3|60"));
  EXPECT_THAT(test_->Rows("named"),
              ElementsAre("a|10|ann", "b|20|ann", "c|30|ann"));
}

TEST_F(PipelineTest, APrivateCopyOfATableServesJoinsOfItsOwnPipeline) {
  Open("own");
  EXPECT_TRUE(test_->view("drivers").is_private);
  ASSERT_TRUE(Driver(1, "ann").ok());
  ASSERT_TRUE(Order("a", 1, 10).ok());
  ASSERT_TRUE(Order("b", 2, 10).ok());
  ASSERT_TRUE(CommitNow().ok());
  EXPECT_THAT(test_->Rows("shares"), ElementsAre("a|10|ann"));
}

TEST_F(PipelineTest, AnEventThatAnExpressionFailsOnIsDivertedForThatView) {
  Open("own");
  ASSERT_TRUE(Driver(1, "ann").ok());
  ASSERT_TRUE(Order("a", 1, 10).ok());
  ASSERT_TRUE(Order("b", 1, 0).ok());
  ASSERT_TRUE(CommitNow().ok());
  ASSERT_EQ(diverted_.size(), 1u);
  EXPECT_EQ(diverted_[0].view, "shares");
  EXPECT_EQ(diverted_[0].reason, DivertReason::kExpression);
  EXPECT_THAT(test_->Rows("shares"), ElementsAre("a|10|ann"));
  EXPECT_THAT(test_->Rows("parts"), ElementsAre("1|10"));
}

TEST_F(PipelineTest, AnAggregatesFailingOutputReadsNullAndIsCounted) {
  Open("own");
  ASSERT_TRUE(Order("a", 1, 0).ok());
  ASSERT_TRUE(CommitNow().ok());
  EXPECT_THAT(test_->Rows("parts"), ElementsAre("1|NULL"));
  EXPECT_EQ(test_->pipeline().output_errors(), 1);
  ASSERT_TRUE(Order("b", 1, 50).ok());
  ASSERT_TRUE(CommitNow().ok());
  EXPECT_THAT(test_->Rows("parts"), ElementsAre("1|2"));
}

TEST_F(PipelineTest, CommitsPositionsAloneAndNothingWhenNothingChanged) {
  Open("default");
  const Positions same = test_->store().positions();
  auto commit = test_->pipeline().CommitPending(ProcessingTime(1), 0, same);
  ASSERT_TRUE(commit.ok());
  EXPECT_EQ(*commit, nullptr);
  EXPECT_EQ(test_->store().head(), Seq(0));

  Positions moved = same;
  moved.tables_ready = true;
  commit = test_->pipeline().CommitPending(ProcessingTime(1), 0, moved);
  ASSERT_TRUE(commit.ok());
  ASSERT_NE(*commit, nullptr);
  EXPECT_THAT((*commit)->changes(), IsEmpty());
  EXPECT_EQ(test_->store().positions(), moved);
  commit = test_->pipeline().CommitPending(ProcessingTime(1), 0, moved);
  ASSERT_TRUE(commit.ok());
  EXPECT_EQ(*commit, nullptr);
}

TEST_F(PipelineTest, ACommitIsDueAtTheLimitOfKeysAndOfBytes) {
  Open("default");
  EXPECT_FALSE(test_->pipeline().CommitDue());
  size_t folded = 0;
  while (!test_->pipeline().CommitDue()) {
    ASSERT_TRUE(Order(absl::StrCat("o", folded), 1, 1).ok());
    ASSERT_LE(++folded, kMaxCommitKeys);
  }
  EXPECT_GE(folded, kMaxCommitKeys / 3);
  ASSERT_TRUE(CommitNow().ok());
  EXPECT_FALSE(test_->pipeline().CommitDue());

  const std::string big(1 << 20, 'x');
  folded = 0;
  while (!test_->pipeline().CommitDue()) {
    ASSERT_TRUE(Driver(static_cast<int64_t>(folded), big).ok());
    ASSERT_LE(++folded, kMaxCommitBytes / big.size());
  }
}

TEST_F(PipelineTest, RefusesACatalogOfOtherViews) {
  Open("default");
  Catalog catalog = test_->catalog();
  catalog.views[0].schema.fields[0].type = Type::kDouble;
  auto created = Pipeline::Create(&test_->plans(), &catalog, &test_->store());
  EXPECT_THAT(created.status().message(),
              HasSubstr("the catalog's columns differ"));
  catalog.views[0].name = "other";
  created = Pipeline::Create(&test_->plans(), &catalog, &test_->store());
  EXPECT_THAT(created.status().message(),
              HasSubstr("view=other: in the catalog but not"));
}

}  // namespace
}  // namespace tidegate
