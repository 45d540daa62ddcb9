// The fold loop and event time: what waits, what is late, what is read again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/timestamp.h"
#include "ingest/loop/loop_fixture.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::string_view kSql = R"sql(
CREATE SOURCE trips (
  id BIGINT, car VARCHAR, speed BIGINT, ts TIMESTAMPTZ,
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (topic = 'trips', dead.letter.topic = 'trips.dlq', idle.timeout = '5s',
        max.future.skew = '1m')
  FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW minutes AS
  SELECT window_start, count(*) AS n
  FROM TUMBLE(trips, ts, INTERVAL '1' MINUTE) GROUP BY window_start;
CREATE MATERIALIZED VIEW closed AS
  SELECT window_end, count(*) AS n
  FROM TUMBLE(trips, ts, INTERVAL '1' MINUTE)
  GROUP BY window_end EMIT ON WINDOW CLOSE;
)sql";

constexpr absl::string_view kMovingSql = R"sql(
CREATE SOURCE trips (
  id BIGINT, car VARCHAR, speed BIGINT, ts TIMESTAMPTZ,
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (topic = 'trips', dead.letter.topic = 'trips.dlq', idle.timeout = '5s')
  FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW lately AS
  SELECT car, count(*) AS n, max(speed) AS top
  FROM SLIDING(trips, ts, INTERVAL '1' MINUTE, INTERVAL '10' SECOND)
  GROUP BY car;
)sql";

constexpr absl::string_view kOrderedSql = R"sql(
CREATE SOURCE trips (
  id BIGINT, car VARCHAR, speed BIGINT, ts TIMESTAMPTZ,
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (topic = 'trips', dead.letter.topic = 'trips.dlq', idle.timeout = '5s',
        max.future.skew = '1m')
  FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW steps (PRIMARY KEY (id)) AS
  SELECT id, 100 / speed AS ease,
         lag(id, 1, -1) OVER (PARTITION BY car ORDER BY ts) AS before
  FROM trips;
CREATE MATERIALIZED VIEW total AS
  SELECT car, count(*) AS n FROM trips GROUP BY car;
)sql";

class EventTimeLoopTest : public LoopTest {
 protected:
  static constexpr int64_t kMinute = 60;

  void Use(absl::string_view sql, int partitions = 1) {
    LoopTest::Use(sql);
    kafka_.CreateTopic("trips", partitions);
  }
  // An event `seconds` after base_.
  Offset Trip(int64_t id, int64_t seconds, int partition = 0,
              int64_t speed = 10,
              std::optional<std::string> replay = std::nullopt) {
    return kafka_.Produce(
        "trips", partition, clock_.Now().value() / 1000, std::nullopt,
        absl::StrCat(R"({"id":)", id, R"(,"car":"c","speed":)", speed,
                     R"(,"ts":")", FormatTimestamp(Us(seconds)), "\"}"),
        std::move(replay));
  }
  int64_t Us(int64_t seconds) const { return base_us_ + seconds * 1'000'000; }
  // "window|n" with the window in seconds after base_.
  std::vector<std::string> Windows(absl::string_view view) const {
    std::vector<std::string> rows;
    for (const std::string& row : test_->Rows(view)) {
      const std::vector<std::string> parts = absl::StrSplit(row, '|');
      int64_t window_us = 0;
      EXPECT_TRUE(absl::SimpleAtoi(parts[0], &window_us)) << row;
      rows.push_back(
          absl::StrCat((window_us - base_us_) / 1'000'000, "|",
                       absl::StrJoin(parts.begin() + 1, parts.end(), "|")));
    }
    return rows;
  }
  EventTime Watermark() const { return test_->store().positions().watermark; }
  int64_t WatermarkSeconds() const {
    return (Watermark().value() - base_us_) / 1'000'000;
  }

  // A whole minute, long before the clock.
  const int64_t base_us_ = 1'600'000'020'000'000;
};

TEST_F(EventTimeLoopTest, AWindowClosesAsTheWatermarkPassesItsEnd) {
  Use(kSql);
  Trip(1, 10);
  Trip(2, 61);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 59);
  EXPECT_THAT(Windows("minutes"), ElementsAre("0|1", "60|1"));
  EXPECT_THAT(Windows("closed"), IsEmpty());
  Trip(3, 62);
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 60);
  EXPECT_THAT(Windows("closed"), ElementsAre("60|1"));
}

TEST_F(EventTimeLoopTest, ALateEventGoesWholeToTheDeadLetters) {
  Use(kSql);
  Trip(1, 10);
  Trip(2, 62);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  const Offset late = Trip(3, 59);
  Trip(4, 61);  // below what was seen, but its window is open
  TurnToTheEnd();
  EXPECT_THAT(Windows("minutes"), ElementsAre("0|1", "60|2"));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].reason, "late");
  EXPECT_EQ(letters[0].offset, late);
  EXPECT_THAT(letters[0].views, ElementsAre("minutes", "closed"));
  EXPECT_EQ(letters[0].replay_views,
            absl::StrCat("minutes@", Us(0), ",closed@", Us(0)));
  EXPECT_EQ(letters[0].watermark, Watermark());
  EXPECT_EQ(letters[0].pipeline, "default");
  EXPECT_THAT(letters[0].detail, HasSubstr("late: time="));
  for (const DivertedCount& count : loop_->DivertedEvents()) {
    EXPECT_EQ(count.source, "trips");
    EXPECT_EQ(count.reason, DivertReason::kLate);
    EXPECT_EQ(count.events, 1);
  }
  EXPECT_EQ(loop_->DivertedEvents().size(), 2u);
}

TEST_F(EventTimeLoopTest, WithinOnePollNothingIsLateByItself) {
  Use(kSql);
  ASSERT_TRUE(Start().ok());
  Trip(1, 0);
  TurnToTheEnd();
  // The watermark of the last commit judges the whole poll.
  Trip(2, 100);
  Trip(3, 30);
  TurnToTheEnd();
  EXPECT_THAT(kafka_.dead_letters(), IsEmpty());
  EXPECT_THAT(Windows("closed"), ElementsAre("60|2"));
}

TEST_F(EventTimeLoopTest, OneBadClockMakesNobodyElseLate) {
  Use(kSql);
  ASSERT_TRUE(Start().ok());
  Trip(1, 0);
  const int64_t ahead =
      (clock_.Now().value() - base_us_) / 1'000'000 + kMinute + 1;
  Trip(2, ahead);
  TurnToTheEnd();
  Trip(3, 1);
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), -1);
  EXPECT_THAT(Windows("minutes"), ElementsAre("0|2"));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].reason, "future");
  EXPECT_THAT(letters[0].views, IsEmpty());
  EXPECT_THAT(letters[0].detail, HasSubstr("too far ahead of the clock"));
}

TEST_F(EventTimeLoopTest, AnEventWithoutATimeIsDivertedForViewsThatNeedOne) {
  Use(kOrderedSql);
  kafka_.Produce("trips", 0, 1, std::nullopt,
                 R"({"id":1,"car":"c","speed":1})");
  Trip(2, 0);
  Trip(3, 10);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("total"), ElementsAre("c|3"));
  EXPECT_THAT(test_->Rows("steps"), ElementsAre("2|10|-1"));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].reason, "no_event_time");
  EXPECT_THAT(letters[0].views, ElementsAre("steps"));
}

TEST_F(EventTimeLoopTest, IdlePartitionsLetWindowsCloseWithoutEvents) {
  Use(kSql, 2);
  Trip(1, 10, 0);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(Watermark(), kNoEventTime);  // partition 1 has not reported
  clock_.AdvanceMs(4'999);
  TurnToTheEnd();
  EXPECT_EQ(Watermark(), kNoEventTime);
  clock_.AdvanceMs(1);
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 8);
  clock_.AdvanceMs(51'000);
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 59);
  EXPECT_THAT(Windows("closed"), IsEmpty());
  clock_.AdvanceMs(1'000);
  TurnToTheEnd();
  EXPECT_THAT(Windows("closed"), ElementsAre("60|1"));
}

TEST_F(EventTimeLoopTest, AMovingAggregateShrinksWithoutNewEvents) {
  Use(kMovingSql);
  Trip(1, 0, 0, /*speed=*/90);
  Trip(2, 15, 0, /*speed=*/50);
  Trip(3, 32, 0, /*speed=*/40);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  clock_.AdvanceMs(5'000);
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 30);
  EXPECT_THAT(test_->Rows("lately"), ElementsAre("c|3|90"));
  clock_.AdvanceMs(29'999);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("lately"), ElementsAre("c|3|90"));
  clock_.AdvanceMs(1);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("lately"), ElementsAre("c|2|50"));
  clock_.AdvanceMs(10'000);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("lately"), ElementsAre("c|1|40"));
  clock_.AdvanceMs(20'000);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("lately"), IsEmpty());
}

TEST_F(EventTimeLoopTest, APartitionAddedWhileRunningIsWaitedFor) {
  Use(kSql, 1);
  Trip(1, 10, 0);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 8);
  kafka_.AddPartitions("trips", 1);
  clock_.AdvanceMs(options_.metadata_interval_ms);
  Trip(2, 100, 0);
  TurnToTheEnd();
  // The new one has neither reported nor become idle.
  EXPECT_EQ(WatermarkSeconds(), 8);
  Trip(3, 30, 1);
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 28);
  EXPECT_THAT(kafka_.dead_letters(), IsEmpty());
}

TEST_F(EventTimeLoopTest, APartitionInErrorIsNeverIdle) {
  Use(kSql, 2);
  Trip(1, 10, 0);
  Trip(2, 10, 1);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 8);
  kafka_.SetDown("trips", 1, true);
  for (int64_t minute = 0; minute < 5; ++minute) {
    clock_.AdvanceMs(60'000);
    Trip(100 + minute, 100 * minute, 0);
    TurnToTheEnd();
  }
  EXPECT_EQ(WatermarkSeconds(), 8);
  EXPECT_THAT(
      served_->watermarks(),
      ElementsAre(
          AllOf(Field(&PartitionWatermark::state, PartitionState::kActive),
                Field(&PartitionWatermark::holds_back, false)),
          AllOf(Field(&PartitionWatermark::state, PartitionState::kError),
                Field(&PartitionWatermark::holds_back, true),
                Field(&PartitionWatermark::watermark, EventTime(Us(8))))));
  kafka_.SetDown("trips", 1, false);
  clock_.AdvanceMs(10);
  TurnToTheEnd();
  clock_.AdvanceMs(5'000);
  Trip(200, 500, 0);
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 498);
}

TEST_F(EventTimeLoopTest, AWatermarkThatChangesNoRowIsCommittedNowAndThen) {
  Use(kSql);
  Trip(1, 10);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  clock_.AdvanceMs(5'000);
  TurnToTheEnd();
  const Seq before = test_->store().head();
  for (int i = 0; i < 100; ++i) {
    clock_.AdvanceMs(20);
    TurnToTheEnd();
  }
  const auto commits = test_->store().head().value() - before.value();
  EXPECT_GE(commits, 1u);
  EXPECT_LE(commits, 3u);
}

TEST_F(EventTimeLoopTest, OrderedViewsFoldInEventTimeOrder) {
  Use(kOrderedSql, 2);
  Trip(1, 5, 0);
  Trip(2, 3, 1);
  Trip(3, 4, 0);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("steps"), IsEmpty());
  EXPECT_EQ(loop_->stats().buffered_events.load(), 3);
  Trip(4, 7, 0);
  Trip(5, 8, 1);
  TurnToTheEnd();
  // Below 5 s: 2, then 3.
  EXPECT_THAT(test_->Rows("steps"), ElementsAre("2|10|-1", "3|10|2"));
  const Offset late = Trip(6, 4, 1);
  TurnToTheEnd();
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].reason, "late");
  EXPECT_EQ(letters[0].offset, late);
  EXPECT_EQ(letters[0].replay_views, "steps");
  EXPECT_THAT(test_->Rows("total"), ElementsAre("c|6"));
}

TEST_F(EventTimeLoopTest, ARestartReadsAgainWhatWaited) {
  Use(kOrderedSql);
  Trip(1, 10);
  Trip(2, 5);
  Trip(3, 11);
  kafka_.Produce("trips", 0, 1, std::nullopt, "{nonsense");
  const int64_t ahead =
      (clock_.Now().value() - base_us_) / 1'000'000 + kMinute + 1;
  Trip(4, ahead);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 9);
  EXPECT_EQ(Position("trips").next_offset, Offset(5));
  EXPECT_EQ(Position("trips").replay_from, Offset(0));
  EXPECT_THAT(Position("trips").diverted,
              ElementsAre(std::make_pair(Offset(4), Offset(5))));
  EXPECT_EQ(kafka_.dead_letters().size(), 2u);
  // The clock reaches the event that was too far ahead: verdicts stand.
  clock_.AdvanceMs(120'000);
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_EQ(loop_->stats().records.load(), 0);
  EXPECT_EQ(loop_->stats().buffered_events.load(), 2);
  EXPECT_THAT(test_->Rows("steps"), ElementsAre("2|10|-1"));
  EXPECT_THAT(test_->Rows("total"), ElementsAre("c|3"));
  EXPECT_EQ(kafka_.dead_letters().size(), 2u);
  Trip(5, 60);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("steps"), ElementsAre("1|10|2", "2|10|-1", "3|10|1"));
  EXPECT_THAT(test_->Rows("total"), ElementsAre("c|4"));
  EXPECT_LE(Position("trips").replay_from, Offset(5));
  clock_.AdvanceMs(5'000);
  TurnToTheEnd();
  clock_.AdvanceMs(10'000);
  TurnToTheEnd();
  EXPECT_EQ(test_->Rows("steps").size(), 4u);
  EXPECT_EQ(Position("trips").replay_from, Offset(6));
  EXPECT_THAT(Position("trips").diverted, IsEmpty());
}

TEST_F(EventTimeLoopTest, NothingIsReleasedBeforeAllIsReadAgain) {
  Use(kOrderedSql, 2);
  for (int i = 0; i < 50; ++i) Trip(i, 10 + i % 2, 0);
  Trip(50, 10, 1);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(WatermarkSeconds(), 8);
  Trip(51, 1000, 1);  // ahead of everything
  Trip(52, 500, 0);
  options_.max_poll_records = 4;
  ASSERT_TRUE(Restart().ok());
  while (loop_->stats().records.load() < 2) {
    ASSERT_TRUE(loop_->Turn().ok());
    if (Position("trips", 0).next_offset == Offset(50)) {
      EXPECT_EQ(WatermarkSeconds(), 8);
    }
  }
  TurnToTheEnd();
  EXPECT_EQ(test_->Rows("steps").size(), 51u);
  EXPECT_THAT(kafka_.dead_letters(), IsEmpty());
}

TEST_F(EventTimeLoopTest, ACommitThatHadToWaitHasWhatCameInItsPoll) {
  Use(kOrderedSql);
  kafka_.HoldAcknowledgements(true);
  kafka_.Produce("trips", 0, 1, std::nullopt, "{nonsense");
  // Makes a commit due in the middle of the poll.
  kafka_.Produce("trips", 0, 1, std::nullopt,
                 absl::StrCat(R"({"id":1,"car":")",
                              std::string(kMaxCommitBytes, 'c'), "\"}"));
  Trip(2, 30);
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(loop_->Turn().ok());
  EXPECT_EQ(Position("trips").next_offset, Offset(0));
  kafka_.HoldAcknowledgements(false);
  TurnToTheEnd();
  EXPECT_EQ(Position("trips").next_offset, Offset(3));
  EXPECT_EQ(Position("trips").max_event_time, EventTime(Us(30)));
  EXPECT_LE(Position("trips").replay_from, Offset(2));
}

TEST_F(EventTimeLoopTest, AnExpressionThatFailsOnReleaseDivertsTheRecord) {
  Use(kOrderedSql);
  const Offset bad = Trip(1, 0, 0, /*speed=*/0);
  Trip(2, 10);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].reason, "expression");
  EXPECT_EQ(letters[0].offset, bad);
  EXPECT_THAT(letters[0].value.value_or(""), HasSubstr("\"speed\":0"));
}

TEST_F(EventTimeLoopTest, APartitionThatAloneExceedsTheLimitIsSpilled) {
  Use(kOrderedSql);
  options_.reorder_buffer_bytes = 4'000;
  constexpr int64_t kEvents = 2'000;
  // All within the bound: nothing can be released.
  for (int64_t i = 0; i < kEvents; ++i) {
    Trip(i, i % 2);
  }
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(loop_->stats().buffered_events.load(), kEvents);
  EXPECT_GT(loop_->stats().spilled_bytes.load(), 10 * 4'000);
  EXPECT_LT(loop_->stats().buffered_bytes.load(), 3 * 4'000);
  EXPECT_EQ(loop_->stats().records.load(), kEvents);
  Trip(kEvents, 100);
  TurnToTheEnd();
  EXPECT_EQ(loop_->stats().spilled_bytes.load(), 0);
  const std::vector<std::string> rows = test_->Rows("steps");
  ASSERT_EQ(rows.size(), static_cast<size_t>(kEvents));
  EXPECT_EQ(rows[0], "0|10|-1");
  EXPECT_EQ(rows[2], "2|10|0");
  // All of second 0 come before those of second 1.
  EXPECT_EQ(rows[1], absl::StrCat("1|10|", kEvents - 2));
}

TEST_F(EventTimeLoopTest, AFullBufferLeavesPartitionsAheadUnread) {
  Use(kOrderedSql, 2);
  options_.reorder_buffer_bytes = 4'000;
  options_.max_poll_records = 10;
  constexpr int kAhead = 1'000;
  for (int i = 0; i < kAhead; ++i) Trip(i, 100 + i, 0);
  Trip(kAhead, 0, 1);
  ASSERT_TRUE(Start().ok());
  for (int turn = 0; turn < 500; ++turn) ASSERT_TRUE(loop_->Turn().ok());
  // What is ahead waits in Kafka, not here.
  const int64_t read = Position("trips", 0).next_offset.value();
  EXPECT_GT(read, 10);
  EXPECT_LT(read, 40);
  EXPECT_EQ(loop_->stats().spilled_bytes.load(), 0);
  clock_.AdvanceMs(1'000);
  ASSERT_TRUE(loop_->Turn().ok());
  EXPECT_EQ(served_->watermarks()[0].state, PartitionState::kUnread);
  EXPECT_TRUE(served_->watermarks()[1].holds_back);
  // The one that holds the watermark is never the one left unread.
  Trip(kAhead + 1, 100 + kAhead, 1);
  TurnToTheEnd();
  EXPECT_EQ(Position("trips", 0).next_offset, Offset(kAhead));
  EXPECT_THAT(kafka_.dead_letters(), IsEmpty());
}

TEST_F(EventTimeLoopTest, ARecordSentBackIsForTheViewsItNames) {
  Use(kSql);
  Trip(1, 10);
  Trip(2, 62);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  Trip(3, 20, 0, 10, absl::StrCat("minutes@", Us(0)));
  TurnToTheEnd();
  EXPECT_THAT(Windows("minutes"), ElementsAre("0|2", "60|1"));
  EXPECT_THAT(Windows("closed"), ElementsAre("60|1"));
  EXPECT_THAT(kafka_.dead_letters(), IsEmpty());
  Trip(4, 63, 0, 10, "");  // for all
  TurnToTheEnd();
  EXPECT_THAT(Windows("minutes"), ElementsAre("0|2", "60|2"));
  Trip(5, 63, 0, 10, "minutes@x");
  TurnToTheEnd();
  ASSERT_EQ(kafka_.dead_letters().size(), 1u);
  EXPECT_EQ(kafka_.dead_letters()[0].reason, "undecodable");
  EXPECT_THAT(kafka_.dead_letters()[0].detail,
              HasSubstr("tidegate.replay.views"));
}

}  // namespace
}  // namespace tidegate
