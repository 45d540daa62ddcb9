#include "clients/history/history.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

using Kind = HistoryEvent::Kind;

TEST(HistoryTest, ReadsChanges) {
  auto upsert = ParseHistoryLine(
      R"({"op":"upsert","key":{"id": 9007199254740993},"row":{ "a":null}})", 7);
  ASSERT_TRUE(upsert.ok()) << upsert.status();
  EXPECT_EQ(upsert->kind, Kind::kUpsert);
  EXPECT_EQ(upsert->line, 7);
  EXPECT_EQ(upsert->key, R"({"id":9007199254740993})");
  EXPECT_EQ(upsert->row, R"({"a":null})");
  auto left = ParseHistoryLine(R"({"op":"left","key":{"id":1}})", 1);
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(left->kind, Kind::kLeft);
}

TEST(HistoryTest, ReadsFinality) {
  const auto read = [](const std::string& name) {
    auto event = ParseHistoryLine(
        R"({"op":"upsert","key":{},"row":{},"finality":")" + name + "\"}", 1);
    EXPECT_TRUE(event.ok()) << event.status();
    return event->finality;
  };
  EXPECT_EQ(read("provisional"), RowFinality::kProvisional);
  EXPECT_EQ(read("final"), RowFinality::kFinal);
  EXPECT_EQ(read("corrected"), RowFinality::kCorrected);
  EXPECT_EQ(
      ParseHistoryLine(R"({"op":"upsert","key":{},"row":{}})", 1)->finality,
      RowFinality::kNone);
}

TEST(HistoryTest, ReadsProgress) {
  auto event = ParseHistoryLine(
      R"({"marker":"progress","ranges":[{"partition":0,"from":3,"to":18446744073709551615}],)"
      R"("position":{"incarnation":"ab","partitions":[{"partition":0,"seq":5}]},)"
      R"("token":"dA==","watermark":"1970-01-01T00:00:01Z"})",
      1);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->kind, Kind::kProgress);
  ASSERT_EQ(event->ranges.size(), 1u);
  EXPECT_EQ(event->ranges[0].from, 3u);
  EXPECT_EQ(event->ranges[0].to, 18446744073709551615u);
  EXPECT_EQ(event->position->incarnation, "ab");
  EXPECT_EQ(event->position->seqs.at(0), 5u);
  EXPECT_EQ(event->token, "dA==");
  EXPECT_EQ(event->watermark_us, 1'000'000);
}

TEST(HistoryTest, ReadsConnect) {
  auto fresh = ParseHistoryLine(
      R"({"marker":"connect","resume":null,"view":"v","keys":[{"id":1}]})", 1);
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_EQ(fresh->kind, Kind::kConnect);
  EXPECT_EQ(fresh->token, "");
  EXPECT_EQ(fresh->subject, R"(v [{"id":1}])");
  auto some = ParseHistoryLine(
      R"({"marker":"connect","view":"v","key_prefix":{"id":1},)"
      R"("where":"n > 1","resume":null})",
      1);
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->subject, R"(v {"id":1} "n > 1")");
  auto resumed = ParseHistoryLine(R"({"marker":"connect","resume":"dA=="})", 1);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(resumed->token, "dA==");
}

TEST(HistoryTest, RefusesWhatItCannotRead) {
  for (const char* line :
       {"", "[]", "{", "{}", R"({"op":"upsrt","key":{},"row":{}})",
        R"({"op":"upsert","key":{}})", R"({"op":"deleted"})",
        R"({"op":"upsert","key":{},"row":{},"finality":"finite"})",
        R"({"marker":"progres"})", R"({"marker":"reset","cause":1})",
        R"({"marker":"progress","ranges":[{"partition":0,"from":-1,"to":2}]})",
        R"({"marker":"progress","position":{}})",
        R"({"marker":"progress","watermark":"yesterday"})"}) {
    EXPECT_FALSE(ParseHistoryLine(line, 1).ok()) << line;
  }
}

TEST(HistoryTest, ReadsRows) {
  auto entry = ParseRowLine(R"({"key": {"a": 1}, "row": {"a": 1, "b": 0.5}})");
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->first, R"({"a":1})");
  EXPECT_EQ(entry->second, R"({"a":1,"b":0.5})");
  EXPECT_FALSE(ParseRowLine(R"({"key":{"a":1}})").ok());
}

}  // namespace
}  // namespace tidegate
