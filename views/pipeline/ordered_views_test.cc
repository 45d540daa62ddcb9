// Views that fold in event-time order (lag, joins as of event time), through a
// pipeline and its store: what the fold loop does, with a buffer that is a
// list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "views/pipeline/test_pipeline.h"
#include "views/plan/expr_testing.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr absl::string_view kSql = R"sql(
CREATE SOURCE orders (
  order_id VARCHAR, driver_id BIGINT, amount BIGINT, ts TIMESTAMPTZ,
  WATERMARK FOR ts AS ts - INTERVAL '10 seconds'
) WITH (topic = 'orders') FORMAT PLAIN ENCODE JSON;
CREATE TABLE drivers (
  driver_id BIGINT PRIMARY KEY, name VARCHAR, ts TIMESTAMPTZ,
  WATERMARK FOR ts AS ts - INTERVAL '10 seconds'
) WITH (topic = 'drivers') FORMAT UPSERT ENCODE JSON;
CREATE MATERIALIZED VIEW named (PRIMARY KEY (order_id)) AS
  SELECT o.order_id, d.name FROM orders o
  LEFT JOIN drivers FOR SYSTEM_TIME AS OF PROCTIME() AS d
  ON o.driver_id = d.driver_id WHERE o.amount <> 0;
CREATE MATERIALIZED VIEW changes (PRIMARY KEY (order_id)) AS
  SELECT order_id, 100 / amount AS part FROM orders WHERE amount <> 0;
)sql";

ViewPlan& PlanOf(PlanSet* plans, absl::string_view name) {
  for (ViewPlan& plan : plans->views) {
    if (plan.name == name) return plan;
  }
  std::abort();
}

// kSql with `named` AS OF o.ts, and in `changes`, which keeps rows for
// `retention_us`, lag(amount) OVER (PARTITION BY driver_id ORDER BY ts) AS
// before.
PlanSet Plans(std::optional<int64_t> retention_us) {
  CompileResult compiled = CompileViews(kSql);
  EXPECT_TRUE(compiled.ok());
  ViewPlan& named = PlanOf(&compiled.plans, "named");
  named.join->event_time = true;
  named.ordered = true;
  ViewPlan& changes = PlanOf(&compiled.plans, "changes");
  changes.ordered = true;
  changes.retention_us = retention_us;
  changes.partition_by = {tidegate::testing::Column(1, Type::kBigint)};
  changes.lags = {{.argument = tidegate::testing::Column(2, Type::kBigint)}};
  changes.outputs.push_back(tidegate::testing::Column(4, Type::kBigint));
  changes.columns.push_back({"before", Type::kBigint});
  return std::move(compiled.plans);
}

struct Record {
  std::string source;
  EventOrder order;
  std::string text;  // order_id, or name
  int64_t driver = 0;
  int64_t amount = 0;
  bool deleted = false;
  bool no_event_time = false;
};

class OrderedViewsTest : public ::testing::Test {
 protected:
  void Open(std::optional<int64_t> retention_us = std::nullopt) {
    test_ = std::make_unique<TestPipeline>(Plans(retention_us));
    buffer_.clear();
  }

  // Calls `fold(input, event)`.
  template <typename Fold>
  void With(const Record& record, Fold fold) {
    const Datum time = Datum::Int(record.order.time.value());
    std::vector<Datum> columns;
    if (record.source == "orders") {
      columns = {Datum::Text(record.text), Datum::Int(record.driver),
                 Datum::Int(record.amount), time};
    } else {
      columns = {Datum::Int(record.driver),
                 record.deleted ? Datum::Null() : Datum::Text(record.text),
                 record.deleted ? Datum::Null() : time};
    }
    Event event;
    event.order = record.order;
    event.columns = columns;
    event.deleted = record.deleted;
    event.no_event_time = record.no_event_time;
    const auto& inputs = test_->pipeline().inputs();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (test_->plans().sources[inputs[i].source].name != record.source) {
        continue;
      }
      const absl::Status status = fold(static_cast<int>(i), event);
      ASSERT_TRUE(status.ok()) << status;
      return;
    }
    FAIL() << record.source;
  }

  void Arrive(const Record& record) {
    With(record, [this](int input, const Event& event) {
      return test_->pipeline().Fold(input, event, &diverted_);
    });
    if (record.source == "orders" && !record.no_event_time &&
        record.order.time >= test_->pipeline().watermark()) {
      buffer_.push_back(record);
    }
  }
  EventOrder At(int64_t time) {
    return {EventTime(time), PartitionId(0), Offset(offset_++)};
  }
  void Order(std::string id, int64_t driver, int64_t amount, int64_t time) {
    Arrive({.source = "orders",
            .order = At(time),
            .text = std::move(id),
            .driver = driver,
            .amount = amount});
  }
  void Driver(int64_t id, std::string name, int64_t time) {
    Arrive({.source = "drivers",
            .order = At(time),
            .text = std::move(name),
            .driver = id});
  }
  void DeleteDriver(int64_t id, int64_t time) {
    Arrive({.source = "drivers",
            .order = At(time),
            .driver = id,
            .deleted = true});
  }

  // Moves the watermark, which releases what is below it, and commits.
  void CommitAt(int64_t watermark) {
    const EventTime to(watermark);
    std::sort(
        buffer_.begin(), buffer_.end(),
        [](const Record& a, const Record& b) { return a.order < b.order; });
    auto kept = buffer_.begin();
    for (; kept != buffer_.end() && kept->order.time < to; ++kept) {
      With(*kept, [this](int input, const Event& event) {
        return test_->pipeline().FoldOrdered(input, event, &diverted_);
      });
    }
    buffer_.erase(buffer_.begin(), kept);
    ASSERT_TRUE(test_->pipeline().Advance(to).ok());
    Positions positions = test_->store().positions();
    positions.watermark = to;
    const auto commit =
        test_->pipeline().CommitPending(ProcessingTime(7), 5, positions);
    ASSERT_TRUE(commit.ok()) << commit.status();
  }

  // What lies beside the rows of `view`.
  int States(absl::string_view view) {
    const auto it = test_->store().HeadView()->NewIterator(
        test_->view(view).state_id, ReadView::Which::kAllEntries);
    int states = 0;
    for (it->Seek(""); it->Valid(); it->Next()) ++states;
    EXPECT_TRUE(it->status().ok());
    return states;
  }
  // "view reason" of all that was diverted since the last call.
  std::vector<std::string> TakeDiverted() {
    std::vector<std::string> texts;
    for (const Diverted& one : diverted_) {
      texts.push_back(
          absl::StrCat(one.view, " ", DivertReasonName(one.reason)));
    }
    diverted_.clear();
    return texts;
  }

  std::unique_ptr<TestPipeline> test_;
  std::vector<Record> buffer_;
  std::vector<Diverted> diverted_;
  int64_t offset_ = 0;
};

TEST_F(OrderedViewsTest, AJoinMeetsTheVersionOfItsTime) {
  Open();
  Order("c", 1, 1, 60);
  Driver(1, "bea", 30);
  Order("b", 1, 1, 30);
  Driver(1, "ann", 10);
  Order("z", 1, 1, 9);
  DeleteDriver(1, 50);
  Order("a", 1, 1, 29);
  CommitAt(5);
  EXPECT_THAT(test_->Rows("named"), IsEmpty());
  CommitAt(30);
  EXPECT_THAT(test_->Rows("named"), ElementsAre("a|ann", "z|NULL"));
  test_->Reopen();
  EXPECT_EQ(test_->pipeline().watermark(), EventTime(30));
  Order("d", 1, 1, 49);
  CommitAt(50);
  EXPECT_THAT(test_->Rows("named"),
              ElementsAre("a|ann", "b|bea", "d|bea", "z|NULL"));
  CommitAt(100);
  EXPECT_THAT(test_->Rows("named"),
              ElementsAre("a|ann", "b|bea", "c|NULL", "d|bea", "z|NULL"));
  EXPECT_THAT(TakeDiverted(), IsEmpty());
}

TEST_F(OrderedViewsTest, VersionsAreForgottenBehindTheWatermark) {
  Open();
  Driver(1, "ann", 10);
  Driver(1, "bea", 30);
  DeleteDriver(2, 20);
  CommitAt(0);
  EXPECT_EQ(States("drivers"), 2);
  CommitAt(20);
  EXPECT_EQ(States("drivers"), 2);  // a row at 20 may still come
  CommitAt(21);
  EXPECT_EQ(States("drivers"), 1);
  DeleteDriver(1, 40);
  CommitAt(41);
  EXPECT_EQ(States("drivers"), 0);
  EXPECT_THAT(test_->Rows("drivers"), IsEmpty());
}

TEST_F(OrderedViewsTest, ALateTableRowCountsFromTheWatermarkOn) {
  Open();
  Driver(1, "ann", 10);
  Order("a", 1, 1, 45);
  CommitAt(50);
  Order("b", 1, 1, 50);
  Driver(1, "bea", 40);
  EXPECT_EQ(test_->pipeline().late_table_rows(), 1);
  CommitAt(60);
  EXPECT_THAT(test_->Rows("named"), ElementsAre("a|ann", "b|bea"));
  EXPECT_THAT(test_->Rows("drivers"), ElementsAre("1|bea|40"));
  EXPECT_THAT(TakeDiverted(), IsEmpty());
}

TEST_F(OrderedViewsTest, LagLooksBackInEventTimeOverCommitsAndCrashes) {
  Open();
  Order("d", 1, 40, 40);
  Order("b", 1, 20, 20);
  Order("x", 2, 50, 25);
  Order("a", 1, 10, 10);
  CommitAt(25);
  EXPECT_THAT(test_->Rows("changes"), ElementsAre("a|10|NULL", "b|5|10"));
  EXPECT_EQ(States("changes"), 1);
  ASSERT_TRUE(test_->store().Checkpoint(ProcessingTime(1)).ok());
  Order("c", 1, 25, 30);
  CommitAt(31);
  test_->CrashAndReopen(CrashKind::kProcess, 0);
  CommitAt(100);
  EXPECT_THAT(
      test_->Rows("changes"),
      ElementsAre("a|10|NULL", "b|5|10", "c|4|20", "d|2|25", "x|2|NULL"));
  EXPECT_EQ(States("changes"), 2);
}

TEST_F(OrderedViewsTest, WhatComesTooLateIsDivertedIfWhereMayPassIt) {
  Open();
  CommitAt(50);
  Order("in time", 1, 1, 50);
  EXPECT_THAT(TakeDiverted(), IsEmpty());
  Order("late", 1, 1, 49);
  EXPECT_THAT(TakeDiverted(),
              UnorderedElementsAre("named late", "changes late"));
  // WHERE drops it.
  Order("late", 1, 0, 49);
  EXPECT_THAT(TakeDiverted(), IsEmpty());
  Arrive({.source = "orders",
          .order = At(60),
          .amount = 1,
          .no_event_time = true});
  EXPECT_THAT(TakeDiverted(), UnorderedElementsAre("named no_event_time",
                                                   "changes no_event_time"));
  CommitAt(100);
  EXPECT_THAT(test_->Rows("changes"), ElementsAre("in time|100|NULL"));
}

TEST_F(OrderedViewsTest, RowsLeaveAfterTheirRetentionAndLagsStay) {
  Open(/*retention_us=*/100);
  Order("a", 1, 10, 10);
  Order("b", 1, 20, 60);
  CommitAt(61);
  EXPECT_THAT(test_->Rows("changes"), ElementsAre("a|10|NULL", "b|5|10"));
  test_->CrashAndReopen(CrashKind::kProcess, 0);
  EXPECT_EQ(test_->pipeline().next_timer(), EventTime(110));
  CommitAt(110);
  EXPECT_THAT(test_->Rows("changes"), ElementsAre("b|5|10"));
  CommitAt(500);
  EXPECT_THAT(test_->Rows("changes"), IsEmpty());
  EXPECT_EQ(test_->pipeline().next_timer(), kNeverEventTime);
  Order("c", 1, 50, 500);
  CommitAt(501);
  EXPECT_THAT(test_->Rows("changes"), ElementsAre("c|2|20"));
}

// Each event as late as the watermark lets it, with crashes between.
TEST_F(OrderedViewsTest, NoOrderOfComingAndNoCrashShows) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  for (int round = 0; round < 30; ++round) {
    std::vector<Record> records;
    for (int64_t i = 0; i < 100; ++i) {
      Record record;
      record.source = random() % 3 == 0 ? "drivers" : "orders";
      record.order.time = EventTime(static_cast<int64_t>(random() % 60));
      record.order.partition = PartitionId(static_cast<int32_t>(random() % 2));
      record.order.offset = Offset(i);
      record.driver = static_cast<int64_t>(random() % 4);
      record.amount = static_cast<int64_t>(random() % 9);
      record.text = absl::StrCat("text", random() % 40);
      record.deleted = record.source == "drivers" && random() % 4 == 0;
      records.push_back(std::move(record));
    }
    // In event-time order, with one commit.
    std::sort(records.begin(), records.end(),
              [](const auto& a, const auto& b) { return a.order < b.order; });
    Open();
    for (const Record& record : records) Arrive(record);
    CommitAt(60);
    const std::vector<std::string> named = test_->Rows("named");
    const std::vector<std::string> changes = test_->Rows("changes");

    std::shuffle(records.begin(), records.end(), random);
    Open();
    while (!records.empty()) {
      Arrive(records.back());
      records.pop_back();
      if (random() % 5 != 0) continue;
      EventTime least(60);
      for (const Record& record : records) {
        least = std::min(least, record.order.time);
      }
      CommitAt(least.value());
      if (random() % 3 == 0) test_->CrashAndReopen(CrashKind::kProcess, 0);
    }
    CommitAt(60);
    ASSERT_EQ(test_->Rows("named"), named) << "round " << round;
    ASSERT_EQ(test_->Rows("changes"), changes) << "round " << round;
    ASSERT_THAT(TakeDiverted(), IsEmpty());
  }
}

}  // namespace
}  // namespace tidegate
