// INCLUDE: what a Kafka record says beside its value, as columns.
#include <string>

#include "ingest/loop/loop_fixture.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::string_view kSql = R"sql(
CREATE SOURCE events (x BIGINT, WATERMARK FOR at AS at - INTERVAL '2' SECOND)
  INCLUDE KEY AS k INCLUDE TIMESTAMP AS at INCLUDE PARTITION AS p
  INCLUDE OFFSET AS o INCLUDE HEADER 'trace' AS h
  WITH (topic = 'events', dead.letter.topic = 'events.dlq')
  FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW plain (PRIMARY KEY (p, o)) AS
  SELECT p, o, x, k, h, at FROM events WHERE x < 100;
CREATE MATERIALIZED VIEW traces AS
  SELECT h, count(k) AS keys, max(o) AS newest FROM events GROUP BY h;
CREATE MATERIALIZED VIEW ordered (PRIMARY KEY (p, o)) AS
  SELECT p, o, h, k, 100 / x AS part,
         lag(h) OVER (PARTITION BY p ORDER BY at) AS before
  FROM events;
)sql";

class MetadataTest : public LoopTest {
 protected:
  MetadataTest() {
    Use(kSql);
    kafka_.CreateTopic("events", 2);
  }
  void Event(int partition, int64_t ms, std::optional<std::string> key, int x,
             RecordHeaders headers,
             std::optional<std::string> replay = std::nullopt) {
    kafka_.Produce("events", partition, ms, std::move(key),
                   absl::StrCat(R"({"x":)", x, R"(,"k":5,"h":[1]})"),
                   std::move(replay), std::move(headers));
  }
};

TEST_F(MetadataTest, ColumnsOfARecord) {
  Event(0, 1'000, "ann", 1, {{"trace", "a"}, {"other", "z"}, {"trace", "b"}});
  Event(1, 2'000, std::nullopt, 2, {});
  Event(1, 3'000, "", 3, {{"trace", std::nullopt}, {"Trace", "no"}});
  Event(0, 4'000, "bea", 4, {{"trace", ""}});
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("plain"),
              ElementsAre("0|0|1|ann|b|1000000", "0|1|4|bea||4000000",
                          "1|0|2|NULL|NULL|2000000", "1|1|3||NULL|3000000"));
  EXPECT_THAT(test_->Rows("traces"), ElementsAre("|1|1", "b|1|0", "NULL|1|1"));
}

TEST_F(MetadataTest, TextThatIsNoneIsABadRecord) {
  Event(0, 1'000, "\xff", 1, {{"trace", "a"}});
  Event(0, 1'000, "ok", 1, {{"trace", "\xc3"}, {"n", std::nullopt}});
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_EQ(loop_->stats().bad_records.load(), 2);
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].detail,
            "column \"k\": expected VARCHAR, found invalid UTF-8");
  EXPECT_EQ(letters[1].detail,
            "column \"h\": expected VARCHAR, found invalid UTF-8");
  EXPECT_EQ(letters[1].headers,
            (RecordHeaders{{"trace", "\xc3"}, {"n", std::nullopt}}));
}

// They wait for the watermark, are read again after a restart, and one fails
// on its release.
TEST_F(MetadataTest, WhatWaitsKeepsThem) {
  Event(0, 10'000, "a", 1, {{"trace", "one"}, {"n", std::nullopt}});
  Event(1, 10'000, "b", 2, {{"trace", "two"}});
  Event(0, 11'000, "c", 0, {{"x", "y"}, {"trace", "three"}});
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("ordered"), ElementsAre());
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_GT(loop_->stats().buffered_events.load(), 0);
  Event(0, 20'000, "d", 5, {});
  Event(1, 20'000, "e", 5, {});
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("ordered"),
              ElementsAre("0|0|one|a|100|NULL", "1|0|two|b|50|NULL"));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].key, "c");
  EXPECT_EQ(letters[0].headers,
            (RecordHeaders{{"x", "y"}, {"trace", "three"}}));
}

TEST_F(MetadataTest, ARecordThatWasSentBackIsWhereItStoodFirst) {
  const RecordHeaders headers = {{"trace", "t"},
                                 {kReplayViewsHeader, "plain"},
                                 {kReplayOriginHeader, "events/1/7"}};
  Event(0, 1'000, "k", 1, headers, "plain");
  RecordHeaders bad = headers;
  bad[2].second = "events/1";
  Event(0, 1'000, "k", 1, bad, "plain");
  // It fails for another reason, and goes away with what it came with.
  kafka_.Produce("events", 0, 1'000, "k", "{", "plain", headers);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("plain"), ElementsAre("1|7|1|k|t|1000000"));
  const std::vector<DeadLetter> letters = kafka_.dead_letters();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_THAT(letters[0].detail,
              HasSubstr("tidegate.replay.origin is not topic/partition/offset: "
                        "events/1"));
  EXPECT_EQ(letters[1].headers, (RecordHeaders{{"trace", "t"}}));
  EXPECT_EQ(letters[1].replay_origin, "events/1/7");
}

TEST_F(MetadataTest, ATablesKeyMayBeTheKafkaKeyItself) {
  Use(R"sql(
CREATE TABLE users (age INT, PRIMARY KEY (k)) INCLUDE KEY AS k
  INCLUDE HEADER 'by' AS writer
  WITH (topic = 'users') FORMAT UPSERT ENCODE JSON;
)sql");
  kafka_.CreateTopic("users", 1, /*compacted=*/true);
  const auto put = [&](const char* key, const char* value,
                       RecordHeaders headers = {}) {
    kafka_.Produce("users", 0, ++stamp_ms_, key, value, std::nullopt,
                   std::move(headers));
  };
  put("ann", R"({"age":1})", {{"by", "x"}});
  put("bea", R"({"age":2})");
  kafka_.Produce("users", 0, ++stamp_ms_, "ann", std::nullopt);
  put("cia", R"({"age":3,"k":"other"})", {{"by", "y"}});
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("users"), ElementsAre("2|bea|NULL", "3|cia|y"));
}

}  // namespace
}  // namespace tidegate
