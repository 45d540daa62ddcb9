#include "ingest/loop/fold_loop.h"

#include "ingest/loop/loop_fixture.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(LoopTest, FoldsWhatIsThereAndCommitsPositions) {
  CreateTopics(2);
  Order("a", 1, 10, 0);
  Order("b", 1, 20, 1);
  Order("c", 1, 30, 1);
  ASSERT_TRUE(Start().ok());
  EXPECT_FALSE(loop_->CaughtUp());
  TurnToTheEnd();
  EXPECT_TRUE(loop_->CaughtUp());
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|3|60"));
  EXPECT_TRUE(test_->store().positions().tables_ready);

  const PartitionPosition position = Position("orders", 1);
  EXPECT_EQ(position.next_offset, Offset(2));
  EXPECT_EQ(position.replay_from, Offset(2));
  EXPECT_EQ(position.last_offset, Offset(1));
  EXPECT_EQ(position.last_timestamp_ms, 1003);
  RawRecord last;
  last.has_value = true;
  last.value = R"({"order_id":"c","driver_id":1,"amount":30})";
  EXPECT_EQ(position.last_hash, RecordHash(last));
  EXPECT_EQ(loop_->stats().records.load(), 3);
  EXPECT_EQ(Position("drivers").last_offset, Offset(-1));
}

TEST_F(LoopTest, CommitsEachBatchAndTellsListeners) {
  CreateTopics();
  Order("a", 1, 10);
  Order("b", 1, 10);
  options_.max_poll_records = 1;
  MakeLoop();
  int told = 0;
  served_->AddListener([&] { ++told; });
  ASSERT_TRUE(loop_->Start().ok());
  TurnToTheEnd();
  // One for tables_ready, one for each record.
  EXPECT_EQ(test_->store().head(), Seq(3));
  EXPECT_EQ(loop_->stats().commits.load(), 3);
  EXPECT_GE(told, 3);
  EXPECT_FALSE(*loop_->Turn());
  EXPECT_EQ(test_->store().head(), Seq(3));
}

TEST_F(LoopTest, TablesAreReadToTheirEndBeforeStreams) {
  CreateTopics();
  Order("a", 1, 10);
  Driver(2, "bea");
  Driver(1, "ann");
  options_.max_poll_records = 1;
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(std::string(served_->status().message()),
              HasSubstr("reading tables: drivers 0 of 2 records"));
  ASSERT_TRUE(*loop_->Turn());
  EXPECT_FALSE(test_->store().positions().tables_ready);
  EXPECT_TRUE(absl::IsUnavailable(served_->status()));
  EXPECT_EQ(Position("orders").next_offset, Offset(0));
  // Only what was there at the start holds the streams back.
  Driver(3, "cia");
  ASSERT_TRUE(*loop_->Turn());
  EXPECT_TRUE(test_->store().positions().tables_ready);
  EXPECT_TRUE(served_->status().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("named"), ElementsAre("a|10|ann"));
  EXPECT_THAT(test_->Rows("drivers"), ElementsAre("1|ann", "2|bea", "3|cia"));
}

TEST_F(LoopTest, AfterARestartTablesAreReadToThePresentEndFirst) {
  CreateTopics();
  Driver(1, "ann");
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  Order("a", 1, 10);
  Driver(1, "bea");
  options_.max_poll_records = 1;
  ASSERT_TRUE(Restart().ok());
  EXPECT_TRUE(absl::IsUnavailable(served_->status()));
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("named"), ElementsAre("a|10|bea"));
}

TEST_F(LoopTest, TablesThatEndInAGapDoNotHoldStreamsBack) {
  CreateTopics();
  Driver(1, "ann");
  const Offset last = Driver(2, "bea");
  kafka_.RemoveRecord("drivers", 0, last);
  Order("a", 1, 10);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("named"), ElementsAre("a|10|ann"));
  EXPECT_TRUE(loop_->CaughtUp());
}

TEST_F(LoopTest, ATombstoneDeletesATablesRow) {
  CreateTopics();
  Driver(1, "ann");
  Driver(2, "bea");
  kafka_.Produce("drivers", 0, 1, "1", std::nullopt);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("drivers"), ElementsAre("2|bea"));
  EXPECT_EQ(loop_->stats().bad_records.load(), 0);
}

TEST_F(LoopTest, ATablesBadRecordsAreDiverted) {
  CreateTopics();
  Driver(1, "ann");
  kafka_.Produce("drivers", 0, 1, "2", R"({"driver_id":3,"name":"x"})");
  kafka_.Produce("drivers", 0, 1, "2", R"({"name":"x"})");
  kafka_.Produce("drivers", 0, 1, std::nullopt,
                 R"({"driver_id":3,"name":"x"})");
  kafka_.Produce("drivers", 0, 1, "two", R"({"driver_id":2,"name":"x"})");
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("drivers"), ElementsAre("1|ann"));
  EXPECT_EQ(loop_->stats().bad_records.load(), 4);
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 4u);
  EXPECT_EQ(letters[0].topic, "drivers.dlq");
  EXPECT_THAT(letters[0].detail, HasSubstr("disagrees with the record's key"));
  EXPECT_THAT(letters[1].detail, HasSubstr("disagrees with the record's key"));
  EXPECT_THAT(letters[2].detail, HasSubstr("has no key"));
  EXPECT_FALSE(letters[2].key.has_value());
}

// As Confluent's serializers write keys.
TEST_F(LoopTest, AKeyThatIsFramedIsSaidToBe) {
  constexpr char kSql[] = R"sql(
CREATE TABLE drivers (driver_id BIGINT PRIMARY KEY, name VARCHAR)
  WITH (topic = 'drivers', dead.letter.topic = 'dlq')
  FORMAT UPSERT ENCODE JSON KEY ENCODE JSON;
CREATE TABLE names (name VARCHAR PRIMARY KEY)
  WITH (topic = 'names', dead.letter.topic = 'dlq') FORMAT UPSERT ENCODE JSON;
)sql";
  Use(kSql);
  kafka_.CreateTopic("drivers", 1, /*compacted=*/true);
  kafka_.CreateTopic("names", 1, /*compacted=*/true);
  const std::string frame("\0\0\0\1\0", 5);
  kafka_.Produce("drivers", 0, 1, frame + R"({"driver_id":2})",
                 R"({"driver_id":2,"name":"x"})");
  kafka_.Produce("names", 0, 1, frame + "ann", R"({"name":"ann"})");
  kafka_.Produce("drivers", 0, 1, "2", R"({"driver_id":2,"name":"x"})");
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 3u);
  int framed = 0;
  for (const DeadLetter& letter : letters) {
    const bool said = absl::StrContains(
        letter.detail, "the key is framed for a schema registry (schema 256)");
    EXPECT_EQ(said, *letter.key != "2") << letter.detail;
    if (said) ++framed;
  }
  EXPECT_EQ(framed, 2);
}

TEST_F(LoopTest, BadRecordsAreAcknowledgedBeforeTheCommitThatPassesThem) {
  CreateTopics();
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  const Seq before = test_->store().head();
  kafka_.HoldAcknowledgements(true);
  Order("a", 1, 10);
  const Offset bad = kafka_.Produce("orders", 0, 77, "key", "{nonsense");
  kafka_.Produce("orders", 0, 78, std::nullopt, std::nullopt);
  ASSERT_TRUE(*loop_->Turn());
  Order("b", 1, 10);
  ASSERT_FALSE(*loop_->Turn());
  EXPECT_EQ(test_->store().head(), before);
  EXPECT_THAT(kafka_.dead_letters(), IsEmpty());

  kafka_.HoldAcknowledgements(false);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|2|20"));
  EXPECT_EQ(Position("orders").next_offset, Offset(4));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].topic, "orders.dlq");
  EXPECT_EQ(letters[0].source_topic, "orders");
  EXPECT_EQ(letters[0].offset, bad);
  EXPECT_EQ(letters[0].timestamp_ms, 77);
  EXPECT_EQ(letters[0].reason, "undecodable");
  EXPECT_THAT(letters[0].views, IsEmpty());
  EXPECT_EQ(letters[0].key, "key");
  EXPECT_EQ(letters[0].value, "{nonsense");
  EXPECT_FALSE(letters[1].value.has_value());
  EXPECT_EQ(loop_->stats().bad_records.load(), 2);
}

TEST_F(LoopTest, ABadRecordAtTheEndMovesThePosition) {
  CreateTopics();
  kafka_.Produce("orders", 0, 77, std::nullopt, "{nonsense");
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(Position("orders").next_offset, Offset(1));
  EXPECT_EQ(Position("orders").last_timestamp_ms, 77);
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_EQ(loop_->stats().bad_records.load(), 0);
}

TEST_F(LoopTest, AFailingExpressionDivertsForItsViewOnly) {
  CreateTopics();
  Order("a", 1, 10);
  Order("b", 1, 0);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|2|10"));
  EXPECT_THAT(test_->Rows("cheap"), ElementsAre("1|1"));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].reason, "expression");
  EXPECT_THAT(letters[0].views, ElementsAre("cheap"));
  EXPECT_THAT(letters[0].detail, HasSubstr("view=cheap: "));
  EXPECT_EQ(loop_->stats().diverted.load(), 1);
  EXPECT_EQ(loop_->stats().bad_records.load(), 0);
}

TEST_F(LoopTest, ARestartGoesOnExactlyWhereTheLastCommitWas) {
  CreateTopics(2);
  options_.max_poll_records = 2;
  for (int i = 0; i < 10; ++i) Order(absl::StrCat("a", i), 1, 1, i % 2);
  ASSERT_TRUE(Start().ok());
  for (int turn = 0; turn < 3; ++turn) ASSERT_TRUE(*loop_->Turn());
  for (int i = 0; i < 10; ++i) Order(absl::StrCat("b", i), 1, 1, i % 2);
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|20|20"));
  EXPECT_EQ(test_->Rows("named").size(), 20u);
}

TEST_F(LoopTest, AFullOverlayHoldsReadingBackUntilACheckpoint) {
  MaterializedStoreOptions options;
  options.max_overlay_bytes = 1;
  Use(kLoopSql, options);
  CreateTopics();
  Order("a", 1, 10);
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(*loop_->Turn());
  ASSERT_TRUE(test_->store().OverlayFull());
  Order("b", 1, 10);
  EXPECT_FALSE(*loop_->Turn());
  EXPECT_FALSE(*loop_->Turn());
  EXPECT_EQ(Position("orders").next_offset, Offset(1));
  ASSERT_TRUE(test_->store().Checkpoint(clock_.Now()).ok());
  EXPECT_TRUE(*loop_->Turn());
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|2|20"));
}

TEST_F(LoopTest, WhoIsBehindCommitsInPartsAsLargeAsTheyMayBe) {
  CreateTopics();
  options_.max_commit_hold_ms = 1'000;
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  const int64_t before = loop_->stats().commits.load();
  const int n = 30'000;  // by three views: more than kMaxCommitKeys
  for (int i = 0; i < n; ++i) Order(absl::StrCat("a", i), i, 1);
  TurnToTheEnd();
  EXPECT_EQ(loop_->stats().commits.load() - before, 2);
  EXPECT_EQ(test_->Rows("totals").size(), static_cast<size_t>(n));
  EXPECT_EQ(Position("orders").next_offset, Offset(n));
}

TEST_F(LoopTest, ACommitIsHeldWhileMoreWaitsButNotForLong) {
  CreateTopics();
  options_.max_poll_records = 2;
  options_.max_commit_hold_ms = 100;
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  const Seq start = test_->store().head();
  for (int i = 0; i < 5; ++i) Order(absl::StrCat("a", i), 1, 1);
  ASSERT_TRUE(*loop_->Turn());
  clock_.AdvanceMs(99);
  ASSERT_TRUE(*loop_->Turn());
  EXPECT_EQ(test_->store().head(), start);
  EXPECT_EQ(Position("orders").next_offset, Offset(0));
  // The third brings one, so that no more was waiting.
  ASSERT_TRUE(*loop_->Turn());
  EXPECT_EQ(test_->store().head(), start.next());
  EXPECT_EQ(Position("orders").next_offset, Offset(5));

  for (int i = 5; i < 11; ++i) Order(absl::StrCat("a", i), 1, 1);
  ASSERT_TRUE(*loop_->Turn());
  EXPECT_EQ(test_->store().head(), start.next());
  clock_.AdvanceMs(100);
  ASSERT_TRUE(*loop_->Turn());
  EXPECT_EQ(test_->store().head(), start.next().next());
  EXPECT_EQ(Position("orders").next_offset, Offset(9));
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|11|11"));
}

TEST_F(LoopTest, WhatIsHeldIsCommittedAtTheEnd) {
  CreateTopics();
  options_.max_poll_records = 1;
  options_.max_commit_hold_ms = 1'000;
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  Order("a", 1, 1);
  Order("b", 1, 1);
  ASSERT_TRUE(*loop_->Turn());
  EXPECT_EQ(Position("orders").next_offset, Offset(0));
  // Nothing more comes: the next turn does not wait for it.
  ASSERT_TRUE(*loop_->Turn());
  ASSERT_FALSE(*loop_->Turn());
  EXPECT_EQ(Position("orders").next_offset, Offset(2));
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|2|2"));
}

TEST_F(LoopTest, ReportsLagAndOffsets) {
  CreateTopics(2);
  Order("a", 1, 10, 0);
  Order("b", 1, 10, 1);
  Order("c", 1, 10, 1);
  ASSERT_TRUE(Start().ok());
  std::vector<PartitionLag> lag = loop_->Lag();
  ASSERT_EQ(lag.size(), 3u);
  EXPECT_EQ(lag[1].topic, "orders");
  EXPECT_EQ(lag[1].records, 1);
  EXPECT_EQ(lag[2].partition, PartitionId(1));
  EXPECT_EQ(lag[2].records, 2);
  EXPECT_EQ(loop_->stats().lag_records.load(), 3);
  EXPECT_EQ(kafka_.report_count(), 0);
  TurnToTheEnd();
  EXPECT_EQ(kafka_.report_count(), 0);
  clock_.AdvanceMs(options_.report_offsets_interval_ms);
  TurnToTheEnd();
  EXPECT_EQ(kafka_.report_count(), 1);
  EXPECT_EQ(kafka_.reported(), test_->store().positions());
  lag = loop_->Lag();
  EXPECT_EQ(lag[2].records, 0);
  EXPECT_EQ(lag[2].last_timestamp_ms, 1003);
  EXPECT_EQ(loop_->stats().lag_records.load(), 0);
}

TEST_F(LoopTest, RunWaitsForTheBrokerAndEndsWithStop) {
  CreateTopics();
  Order("a", 1, 10);
  kafka_.SetAway(true);
  options_.poll_timeout_ms = 10'000;
  MakeLoop();
  absl::Status ended = absl::UnknownError("running");
  std::thread thread([&] { ended = loop_->Run(); });
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(served_->status().message(),
                             "waiting for the broker");
  }));
  kafka_.SetAway(false);
  EXPECT_TRUE(Eventually([&] { return loop_->CaughtUp(); }));
  Order("b", 1, 20);
  EXPECT_TRUE(Eventually([&] { return loop_->stats().records.load() == 2; }));
  const auto before = std::chrono::steady_clock::now();
  loop_->Stop();
  thread.join();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  EXPECT_EQ(ended, absl::OkStatus());
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|2|30"));
  EXPECT_EQ(kafka_.reported(), test_->store().positions());
}

TEST_F(LoopTest, StopEndsAWaitForDeadLetters) {
  CreateTopics();
  kafka_.Produce("orders", 0, 1, std::nullopt, "{nonsense");
  kafka_.HoldAcknowledgements(true);
  options_.poll_timeout_ms = 10'000;
  MakeLoop();
  std::thread thread([&] { EXPECT_TRUE(loop_->Run().ok()); });
  EXPECT_TRUE(
      Eventually([&] { return loop_->stats().bad_records.load() == 1; }));
  loop_->Stop();
  thread.join();
  EXPECT_EQ(Position("orders").next_offset, Offset(0));
}

TEST_F(LoopTest, AFatalStatusStaysOnTheServedPipeline) {
  kafka_.CreateTopic("orders", 1);
  MakeLoop();
  const absl::Status ended = loop_->Run();
  EXPECT_TRUE(absl::IsNotFound(ended));
  EXPECT_THAT(std::string(ended.message()), HasSubstr("topic=drivers"));
  EXPECT_TRUE(absl::IsFailedPrecondition(served_->status()));
  EXPECT_EQ(served_->status().message(), ended.message());
}

TEST_F(LoopTest, TwoSourcesOfOneTopicInAPipelineAreRefused) {
  Use(R"sql(
CREATE SOURCE a (x BIGINT) WITH (topic = 't') FORMAT PLAIN ENCODE JSON;
CREATE SOURCE b (x BIGINT) WITH (topic = 't') FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW va AS SELECT x, count(*) AS n FROM a GROUP BY x;
CREATE MATERIALIZED VIEW vb AS SELECT x, count(*) AS n FROM b GROUP BY x;
)sql");
  FoldLoop::Parts parts;
  parts.plans = &test_->plans();
  parts.pipeline = &test_->pipeline();
  parts.store = &test_->store();
  parts.clock = &clock_;
  const auto loop = FoldLoop::Create(parts, options_);
  EXPECT_TRUE(absl::IsInvalidArgument(loop.status()));
  EXPECT_THAT(std::string(loop.status().message()),
              HasSubstr("\"a\" and \"b\" read topic \"t\""));
}

}  // namespace
}  // namespace tidegate
