// The fold loop while its store is being built.
#include "absl/strings/match.h"
#include "ingest/loop/loop_fixture.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;

class BuildLoopTest : public LoopTest {
 protected:
  void SetUp() override {
    Use(kLoopSql, {.build = true});
    options_.max_poll_records = 2;
    CreateTopics();
  }
  bool building() { return test_->store().building(); }
  void TurnOnce() {
    const auto turned = loop_->Turn();
    ASSERT_TRUE(turned.ok()) << turned.status();
  }
};

TEST_F(BuildLoopTest, CommitsOnceAtTheEnds) {
  Driver(1, "ann");
  for (int i = 0; i < 7; ++i) Order(absl::StrCat("o", i), 1, 10 + i);
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(building());
  EXPECT_EQ(loop_->stats().building.load(), 1);
  while (building()) {
    EXPECT_EQ(test_->store().head(), Seq(0));
    EXPECT_FALSE(loop_->CaughtUp());
    ASSERT_NO_FATAL_FAILURE(TurnOnce());
  }
  EXPECT_TRUE(loop_->CaughtUp());
  EXPECT_EQ(loop_->stats().building.load(), 0);
  EXPECT_EQ(test_->store().head(), Seq(1));
  EXPECT_EQ(test_->store().checkpoint_seq(), Seq(1));
  EXPECT_EQ(Position("orders").next_offset, Offset(7));
  EXPECT_TRUE(test_->store().positions().tables_ready);
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|7|91"));
  // From here on as ever.
  Order("late", 1, 1);
  ASSERT_NO_FATAL_FAILURE(TurnToTheEnd());
  EXPECT_EQ(test_->store().head(), Seq(2));
  EXPECT_EQ(test_->store().ReadLog(Seq(1), 1000).value().size(), 1u);
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|8|92"));
}

TEST_F(BuildLoopTest, AnEmptyTopicIsBuiltAtOnce) {
  ASSERT_TRUE(Start().ok());
  ASSERT_NO_FATAL_FAILURE(TurnToTheEnd());
  EXPECT_FALSE(building());
  EXPECT_TRUE(loop_->CaughtUp());
}

TEST_F(BuildLoopTest, AReaderEndsItWithACommitOfWhatIsFolded) {
  for (int i = 0; i < 9; ++i) Order(absl::StrCat("o", i), 1, 10);
  ASSERT_TRUE(Start().ok());
  ASSERT_NO_FATAL_FAILURE(TurnOnce());
  ASSERT_NO_FATAL_FAILURE(TurnOnce());
  EXPECT_EQ(test_->store().head(), Seq(0));
  EXPECT_FALSE(test_->store().EndBuild(0));
  ASSERT_NO_FATAL_FAILURE(TurnOnce());
  EXPECT_FALSE(building());
  EXPECT_EQ(test_->store().head(), Seq(1));
  EXPECT_GT(Position("orders").next_offset, Offset(2));
  EXPECT_LT(Position("orders").next_offset, Offset(9));
  ASSERT_NO_FATAL_FAILURE(TurnToTheEnd());
  EXPECT_GT(test_->store().ReadLog(Seq(1), 1000).value().size(), 1u);
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|9|90"));
}

TEST_F(BuildLoopTest, AnIntervalBoundsWhatACrashCosts) {
  for (int i = 0; i < 9; ++i) Order(absl::StrCat("o", i), 1, 10);
  ASSERT_TRUE(Start().ok());
  ASSERT_NO_FATAL_FAILURE(TurnOnce());
  clock_.AdvanceMs(options_.build_commit_interval_ms);
  ASSERT_NO_FATAL_FAILURE(TurnOnce());
  EXPECT_EQ(test_->store().head(), Seq(1));
  EXPECT_TRUE(building());
  const Offset kept = Position("orders").next_offset;
  ASSERT_NO_FATAL_FAILURE(TurnOnce());
  ASSERT_TRUE(Restart().ok());
  EXPECT_TRUE(building());
  EXPECT_EQ(Position("orders").next_offset, kept);
  ASSERT_NO_FATAL_FAILURE(TurnToTheEnd());
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|9|90"));
}

TEST_F(BuildLoopTest, StoppingCommitsWhatIsHeld) {
  for (int i = 0; i < 9; ++i) Order(absl::StrCat("o", i), 1, 10);
  MakeLoop();
  served_->AddListener([&] {
    if (loop_->stats().records.load() >= 4) loop_->Stop();
  });
  ASSERT_TRUE(loop_->Start().ok());
  ASSERT_NO_FATAL_FAILURE(TurnOnce());
  ASSERT_NO_FATAL_FAILURE(TurnOnce());
  ASSERT_EQ(test_->store().head(), Seq(0));
  const int64_t taken = loop_->stats().records.load();
  loop_->Stop();
  // The end of Run() is that of a process that is asked to stop.
  ASSERT_TRUE(loop_->Run().ok());
  EXPECT_EQ(test_->store().head(), Seq(1));
  EXPECT_EQ(Position("orders").next_offset, Offset(taken));
  EXPECT_TRUE(building());
}

// Letters are not saved up, and a reader is not kept waiting for the broker.
TEST_F(BuildLoopTest, LettersThatCannotBeWrittenDoNotHoldAReaderBack) {
  kafka_.Produce("orders", 0, 1, std::nullopt, "{");
  for (int i = 0; i < 9; ++i) Order(absl::StrCat("o", i), 1, 10);
  ASSERT_TRUE(Start().ok());
  kafka_.HoldAcknowledgements(true);
  for (int i = 0; i < 5; ++i) ASSERT_NO_FATAL_FAILURE(TurnOnce());
  const int64_t taken = loop_->stats().records.load();
  EXPECT_LE(taken, options_.max_poll_records);
  EXPECT_TRUE(building());
  EXPECT_FALSE(test_->store().EndBuild(0));
  ASSERT_NO_FATAL_FAILURE(TurnOnce());
  EXPECT_FALSE(building());
  EXPECT_EQ(test_->store().head(), Seq(0));
  kafka_.HoldAcknowledgements(false);
  ASSERT_NO_FATAL_FAILURE(TurnToTheEnd());
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|9|90"));
  EXPECT_FALSE(test_->store().ReadLog(Seq(0), 1000).value().empty());
}

constexpr absl::string_view kTimedSql = R"sql(
CREATE SOURCE clicks (who BIGINT, at TIMESTAMPTZ,
  WATERMARK FOR at AS at - INTERVAL '1' SECOND)
  WITH (topic = 'clicks', dead.letter.topic = 'clicks.dlq',
        max.future.skew = '1h')
  FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW per_minute AS
  SELECT window_start, count(*) AS n
  FROM TUMBLE(clicks, at, INTERVAL '1' MINUTE)
  GROUP BY window_start EMIT ON WINDOW CLOSE;
)sql";

class TimedBuildTest : public LoopTest {
 protected:
  void SetUp() override {
    Use(kTimedSql, {.build = true});
    options_.max_poll_records = 1;
    kafka_.CreateTopic("clicks", 1);
  }
  void Click(absl::string_view at) {
    kafka_.Produce("clicks", 0, 1, std::nullopt,
                   absl::StrCat(R"({"who":1,"at":")", at, R"("})"));
  }
};

TEST_F(TimedBuildTest, TheWatermarkMovesWithCommitsOnly) {
  Click("2023-01-01T00:00:10Z");
  Click("2023-01-01T00:05:00Z");
  // Out of order, but no commit has passed it.
  Click("2023-01-01T00:00:20Z");
  Click("2023-01-01T00:09:00Z");
  ASSERT_TRUE(Start().ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(*loop_->Turn());
    EXPECT_EQ(test_->store().positions().watermark, kNoEventTime);
    EXPECT_EQ(test_->pipeline().watermark(), kNoEventTime);
  }
  ASSERT_NO_FATAL_FAILURE(TurnToTheEnd());
  EXPECT_FALSE(test_->store().building());
  EXPECT_EQ(test_->store().positions().watermark,
            test_->pipeline().watermark());
  EXPECT_TRUE(kafka_.dead_letters().empty());
  EXPECT_THAT(test_->Rows("per_minute"),
              ElementsAre(absl::StrCat(1672531200000000, "|2"),
                          absl::StrCat(1672531500000000, "|1")));
}

// What the clock decided once is committed soon, as it would be without.
TEST_F(TimedBuildTest, AnEventOfTheFutureEndsTheBuild) {
  Click("2023-01-01T00:00:10Z");
  Click("2099-01-01T00:00:00Z");
  Click("2023-01-01T00:00:20Z");
  Click("2023-01-01T00:00:30Z");
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(*loop_->Turn());
  EXPECT_TRUE(test_->store().building());
  ASSERT_TRUE(*loop_->Turn());
  EXPECT_FALSE(test_->store().building());
  EXPECT_EQ(Position("clicks").next_offset, Offset(2));
  EXPECT_EQ(kafka_.dead_letters().size(), 1u);
}

}  // namespace
}  // namespace tidegate
