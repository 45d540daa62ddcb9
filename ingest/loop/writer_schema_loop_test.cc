// Records whose schemas come from a registry, now, later or never.
#include "ingest/loop/event_time_state.h"
#include "ingest/loop/writer_schema_fixture.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::string_view kSql = R"sql(
CREATE SOURCE orders (order_id VARCHAR, driver_id BIGINT, amount BIGINT)
  WITH (topic = 'orders', dead.letter.topic = 'orders.dlq')
  FORMAT PLAIN ENCODE PROTOBUF (message = 'shop.Order',
                                schema.registry = 'http://registry');
CREATE MATERIALIZED VIEW totals AS
  SELECT driver_id, count(*) AS n, sum(amount) AS total
  FROM orders GROUP BY driver_id;
)sql";

TEST_F(WriterSchemaLoopTest, ARecordWaitsAndItsPartitionWithIt) {
  UseTopic(kSql, 2);
  Register(1);
  Write(1, 0, 7, 10);
  const Offset waits = Write(2, 0, 7, 20);
  Write(1, 0, 7, 30);
  Write(1, 1, 8, 1);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  // The other goes on.
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|1|10", "8|1|1"));
  EXPECT_EQ(Position("orders", 0).next_offset, waits);
  EXPECT_EQ(WaitingRecords(), 2);
  EXPECT_EQ(loop_->stats().awaiting_schema_partitions.load(), 1);
  EXPECT_FALSE(loop_->CaughtUp());
  EXPECT_EQ(loop_->stats().records.load(), 2);
  EXPECT_EQ(loop_->Lag()[0].records, 2);
  Write(1, 0, 7, 40);
  Write(1, 1, 8, 2);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|1|10", "8|2|3"));

  Register(2);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|4|100", "8|2|3"));
  EXPECT_EQ(Position("orders", 0).next_offset, Offset(4));
  EXPECT_EQ(WaitingRecords(), 0);
  EXPECT_TRUE(loop_->CaughtUp());
  EXPECT_EQ(loop_->stats().bad_records.load(), 0);
}

TEST_F(WriterSchemaLoopTest, NothingIsAskedForAgainBeforeThereIsNews) {
  UseTopic(kSql, 2);
  Register(1);
  Write(2, 0, 7, 20);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  const int taken = fake_.taken();
  for (int i = 0; i < 10; ++i) {
    Write(1, 1, 8, 1);
    TurnToTheEnd();
  }
  EXPECT_EQ(fake_.taken(), taken + 1);  // for schema 1
  Register(3);
  TurnToTheEnd();
  EXPECT_EQ(fake_.taken(), taken + 2);
}

TEST_F(WriterSchemaLoopTest, AnotherSchemaMayBeMissingBehindTheFirst) {
  UseTopic(kSql, 1);
  Write(1, 0, 7, 1);
  Write(2, 0, 7, 2);
  Write(1, 0, 7, 4);
  Write(3, 0, 7, 8);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(WaitingRecords(), 4);
  Register(3);
  TurnToTheEnd();
  EXPECT_EQ(WaitingRecords(), 4);
  Register(1);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|1|1"));
  EXPECT_EQ(WaitingRecords(), 3);
  Register(2);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|4|15"));
}

TEST_F(WriterSchemaLoopTest, ACrashWhileOneWaitsLosesAndRepeatsNothing) {
  UseTopic(kSql, 2);
  Register(1);
  Write(1, 0, 7, 1);
  Write(2, 0, 7, 2);
  Write(1, 0, 7, 4);
  Write(1, 1, 7, 8);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|2|9"));
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|2|9"));
  EXPECT_EQ(WaitingRecords(), 2);
  Register(2);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|4|15"));
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|4|15"));
}

TEST_F(WriterSchemaLoopTest, WhatTheRegistryDoesNotHaveGoesToTheDeadLetters) {
  UseTopic(kSql, 1);
  Register(1);
  const Offset gone = Write(2, 0, 7, 2);
  Write(1, 0, 7, 4);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(kafka_.dead_letters(), IsEmpty());
  fake_.SetMissing(2);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|1|4"));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].offset, gone);
  EXPECT_EQ(letters[0].reason, "undecodable");
  EXPECT_THAT(letters[0].detail, HasSubstr("schema 2 is not in the registry"));
  EXPECT_EQ(loop_->stats().bad_records.load(), 1);
}

TEST_F(WriterSchemaLoopTest, WhatDoesNotFitGoesToTheDeadLettersWithAReason) {
  UseTopic(kSql, 1);
  Register(1);
  fake_.AddProtobuf(2,
                    "syntax = \"proto3\"; package shop;"
                    "message Order { string amount = 1; }");
  Write(2, 0, 7, 2);
  Write(1, 0, 7, 4);
  Write(2, 0, 7, 8);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|1|4"));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].reason, "incompatible_schema");
  EXPECT_THAT(
      letters[0].detail,
      HasSubstr("schema id=2: column \"amount\": BIGINT cannot hold field "
                "shop.Order.amount of type string"));
  const std::vector<DivertedCount> diverted = loop_->DivertedEvents();
  ASSERT_EQ(diverted.size(), 1u);
  EXPECT_EQ(diverted[0].reason, DivertReason::kIncompatibleSchema);
  EXPECT_EQ(diverted[0].events, 2);
  EXPECT_EQ(loop_->stats().bad_records.load(), 2);
}

TEST_F(WriterSchemaLoopTest, TheWatermarkWaitsForAPartitionThatWaits) {
  UseTopic(kTimedSql, 2);
  Register(1);
  Write(1, 0, 7, 1, 1'000);
  Write(2, 0, 7, 2, 2'000);
  Write(1, 1, 8, 4, 1'500);
  Write(1, 1, 8, 8, 60'000);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(test_->store().positions().watermark, EventTime(0));
  // The broker's silence would make it idle; that of the registry does not.
  clock_.AdvanceMs(3'600'000);
  EXPECT_THAT(States(), ElementsAre(PartitionState::kAwaitingSchema,
                                    PartitionState::kIdle));
  EXPECT_EQ(test_->store().positions().watermark, EventTime(0));
  EXPECT_TRUE(served_->watermarks()[0].holds_back);
  EXPECT_THAT(test_->Rows("steps"), IsEmpty());
  Register(2);
  EXPECT_THAT(States(),
              ElementsAre(PartitionState::kActive, PartitionState::kIdle));
  EXPECT_THAT(kafka_.dead_letters(), IsEmpty());
}

TEST_F(WriterSchemaLoopTest, WhatWaitedForTheWatermarkIsReadAgainByItsSchema) {
  UseTopic(kTimedSql, 1);
  Register(1);
  Write(1, 0, 7, 1, 1'000);
  Write(2, 0, 7, 2, 1'500);
  Register(2);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("steps"), IsEmpty());
  // After a restart, the second is not there at first.
  FakeRegistries later;
  registries_ = &later;
  later.AddProtobuf(1, TextOf(1));
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_EQ(WaitingRecords(), 1);
  Write(1, 0, 7, 4, 10'000);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("steps"), IsEmpty());
  later.AddProtobuf(2, TextOf(2));
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("steps"), ElementsAre("o1|NULL", "o2|1"));
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|3|7"));
  loop_.reset();
}

// What was not found stays a verdict, even if it is there after a restart.
TEST_F(WriterSchemaLoopTest, AVerdictIsTakenOnce) {
  UseTopic(kTimedSql, 1);
  Register(1);
  Write(1, 0, 7, 1, 1'000);
  Write(2, 0, 7, 2, 1'500);
  fake_.SetMissing(2);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(kafka_.dead_letters().size(), 1u);
  Register(2);
  ASSERT_TRUE(Restart().ok());
  Write(1, 0, 7, 4, 10'000);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("steps"), ElementsAre("o1|NULL"));
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|2|5"));
  EXPECT_EQ(kafka_.dead_letters().size(), 1u);
}

// The registry has lost a schema meanwhile: the views on arrival have the
// record, the ordered one is told that it will not get it.
TEST_F(WriterSchemaLoopTest, ASchemaThatVanishedIsNotSilent) {
  UseTopic(kTimedSql, 1);
  Register(1);
  Register(2);
  Write(1, 0, 7, 1, 1'000);
  Write(2, 0, 7, 2, 1'500);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  fake_.SetMissing(2);
  ASSERT_TRUE(Restart().ok());
  Write(1, 0, 7, 4, 10'000);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("steps"), ElementsAre("o1|NULL"));
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|3|7"));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_THAT(letters[0].views, ElementsAre("steps"));
}

// The registry is another one, in which the id is a schema that does not fit,
// or with which the record cannot be read.
struct OtherSchema {
  const char* field;
  const char* reason;
};
class AnotherRegistry : public WriterSchemaLoopTest,
                        public ::testing::WithParamInterface<OtherSchema> {};

TEST_P(AnotherRegistry, IsNotSilent) {
  constexpr int64_t kNoTime = int64_t{1} << 62;
  UseTopic(kTimedSql, 1);
  Register(1);
  Register(2);
  Write(1, 0, 7, 1, 1'000);
  Write(2, 0, 7, kNoTime, 1'500);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(kafka_.dead_letters(), IsEmpty());
  fake_.AddProtobuf(2, absl::StrCat("syntax = \"proto3\"; package shop;",
                                    "message Order {", GetParam().field, "}"));
  // Once, since that too is a verdict.
  for (int life = 0; life < 2; ++life) {
    ASSERT_TRUE(Restart().ok());
    TurnToTheEnd();
    const std::vector<DeadLetter> letters = kafka_.dead_letters();
    ASSERT_EQ(letters.size(), 1u) << "life=" << life;
    EXPECT_THAT(letters[0].views, ElementsAre("steps"));
    EXPECT_EQ(letters[0].reason, GetParam().reason);
  }
  Write(1, 0, 7, 4, 10'000);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("steps"), ElementsAre("o1|NULL"));
}
INSTANTIATE_TEST_SUITE_P(
    Schemas, AnotherRegistry,
    ::testing::Values(OtherSchema{"string amount = 4;", "incompatible_schema"},
                      OtherSchema{"int64 ts = 4;", "undecodable"}));

// Neither that it does not fit is said twice, nor is it taken back.
TEST_F(WriterSchemaLoopTest, WhatDoesNotFitIsAVerdictToo) {
  UseTopic(kTimedSql, 1);
  Register(1);
  Write(1, 0, 7, 1, 1'000);
  Write(2, 0, 7, 2, 1'500);
  fake_.AddProtobuf(2,
                    "syntax = \"proto3\"; package shop;"
                    "message Order { string amount = 4; }");
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  Register(2);
  ASSERT_TRUE(Restart().ok());
  Write(1, 0, 7, 4, 10'000);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("steps"), ElementsAre("o1|NULL"));
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|2|5"));
  EXPECT_EQ(kafka_.dead_letters().size(), 1u);
}

// Beyond what positions have room for, the ordered views' letter comes again.
TEST_F(WriterSchemaLoopTest, AnyNumberOfBadOnesBehindOneThatWaitsIsTaken) {
  constexpr int kMore = 10;
  constexpr int kBad = static_cast<int>(kMaxBadRuns) + kMore;
  UseTopic(kTimedSql, 1);
  Register(1);
  fake_.SetMissing(2);
  for (int i = 0; i < kBad; ++i) {
    Write(1, 0, 7, 1, 1'000);
    Write(2, 0, 7, 1, 1'000);
  }
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(kafka_.dead_letters().size(), static_cast<size_t>(kBad));
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_EQ(kafka_.dead_letters().size(), static_cast<size_t>(kBad + kMore));
  Write(1, 0, 7, 1, 10'000);
  TurnToTheEnd();
  EXPECT_EQ(test_->Rows("steps").size(), static_cast<size_t>(kBad));
}

TEST_F(WriterSchemaLoopTest, ATableWaitsAndItsStreamsWithIt) {
  Use(R"sql(
CREATE SOURCE orders (order_id VARCHAR, driver_id BIGINT)
  WITH (topic = 'orders') FORMAT PLAIN ENCODE JSON;
CREATE TABLE drivers (driver_id BIGINT PRIMARY KEY, order_id VARCHAR)
  WITH (topic = 'drivers')
  FORMAT UPSERT ENCODE PROTOBUF (schema.registry = 'http://registry');
CREATE MATERIALIZED VIEW named (PRIMARY KEY (order_id)) AS
  SELECT o.order_id, d.order_id AS name FROM orders o
  LEFT JOIN drivers FOR SYSTEM_TIME AS OF PROCTIME() AS d
  ON o.driver_id = d.driver_id;
)sql");
  kafka_.CreateTopic("orders", 1);
  kafka_.CreateTopic("drivers", 1, /*compacted=*/true);
  std::string bytes;
  PutTag(&bytes, 1, WireType::kLengthDelimited);
  PutLengthPrefixed(&bytes, "ann");
  PutTag(&bytes, 2, WireType::kVarint);
  PutVarint64(&bytes, 7);
  kafka_.Produce("drivers", 0, 1, "7", FramedRecord(1, kFirstMessage, bytes));
  kafka_.Produce("orders", 0, 1, std::nullopt,
                 R"({"order_id":"a","driver_id":7})");
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("named"), IsEmpty());
  clock_.AdvanceMs(1'000);
  TurnToTheEnd();
  EXPECT_THAT(std::string(served_->status().message()),
              HasSubstr("0 of 1 records; schema 1 is awaited"));
  Register(1);
  TurnToTheEnd();
  EXPECT_TRUE(served_->status().ok());
  EXPECT_THAT(test_->Rows("named"), ElementsAre("a|ann"));
}

TEST_F(WriterSchemaLoopTest, ABuildDoesNotEndBeforeTheSchemasCome) {
  MaterializedStoreOptions options;
  options.build = true;
  Use(kSql, options);
  kafka_.CreateTopic("orders", 1);
  Register(1);
  Write(1, 0, 7, 1);
  Write(2, 0, 7, 2);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_TRUE(test_->store().building());
  EXPECT_FALSE(loop_->CaughtUp());
  Register(2);
  TurnToTheEnd();
  EXPECT_FALSE(test_->store().building());
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|2|3"));
}

TEST_F(WriterSchemaLoopTest, ASchemaThatComesEndsAPollThatWaits) {
  UseTopic(kSql, 1);
  Write(1, 0, 7, 1);
  options_.poll_timeout_ms = 600'000;
  MakeLoop();
  std::thread thread([&] { EXPECT_TRUE(loop_->Run().ok()); });
  EXPECT_TRUE(Eventually([&] { return WaitingRecords() == 1; }));
  // The fake is of one thread; the loop's is in Poll, or about to be.
  Register(1);
  EXPECT_TRUE(Eventually([&] { return loop_->CaughtUp(); }));
  loop_->Stop();
  thread.join();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("7|1|1"));
}

}  // namespace
}  // namespace tidegate
