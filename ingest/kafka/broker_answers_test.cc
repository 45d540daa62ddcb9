// On what librdkafka 2.0.2 said, recorded and cut down to what is read.
#include "ingest/kafka/broker_answers.h"

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kBoundUs = 1'600'000;

std::vector<std::string> Recorded(const std::string& name) {
  std::ifstream in(absl::StrCat(TIDEGATE_KAFKA_TESTDATA, "/", name));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  EXPECT_FALSE(lines.empty()) << name;
  return lines;
}

int64_t Ts(const std::string& statistics) {
  return std::stoll(statistics.substr(std::string("{\"ts\":").size()));
}

BrokerAnswers ForTopicT() { return BrokerAnswers({"other", "t"}, kBoundUs); }

std::string Say(const BrokerAnswers& answers, int64_t now_us) {
  std::string said;
  for (const int partition : {0, 1}) {
    said += answers.Answering(1, PartitionId(partition), now_us) ? 'y' : 'n';
  }
  return said;
}

// What is answered right after each of `lines`, for both partitions.
std::vector<std::string> Replay(const std::vector<std::string>& lines,
                                BrokerAnswers* answers) {
  std::vector<std::string> said;
  for (const std::string& line : lines) {
    const absl::Status status = answers->Update(line);
    EXPECT_TRUE(status.ok()) << status;
    said.push_back(Say(*answers, Ts(line)));
  }
  return said;
}

TEST(BrokerAnswersTest, NothingIsKnownBeforeTheFirstStatistics) {
  BrokerAnswers answers = ForTopicT();
  EXPECT_EQ(Say(answers, 0), "nn");
  EXPECT_FALSE(answers.Answering(0, PartitionId(7), 0));
}

TEST(BrokerAnswersTest, AStoppedBrokerFallsSilentOnAConnectionThatIsUp) {
  BrokerAnswers answers = ForTopicT();
  const auto lines = Recorded("kafka_stopped_and_continued.jsonl");
  // The first look shows no fetch that was asked after it. SIGSTOP came after
  // the third, SIGCONT before the tenth; the connection stayed all the time.
  EXPECT_THAT(Replay(lines, &answers),
              ElementsAre("nn", "yy", "yy", "yy", "yy", "yy", "nn", "nn", "nn",
                          "yy", "yy", "yy"));
}

TEST(BrokerAnswersTest, AnAnswerCountsForTheBoundAndNoLonger) {
  BrokerAnswers answers = ForTopicT();
  auto lines = Recorded("kafka_stopped_and_continued.jsonl");
  lines.resize(3);
  EXPECT_THAT(Replay(lines, &answers), ElementsAre("nn", "yy", "yy"));
  ASSERT_THAT(lines.back(), HasSubstr("\"rxidle\":65033"));
  const int64_t heard_us = Ts(lines.back()) - 65'033;
  EXPECT_EQ(Say(answers, heard_us + kBoundUs), "yy");
  EXPECT_EQ(Say(answers, heard_us + kBoundUs + 1), "nn");
  // The same words again are no new answer.
  ASSERT_TRUE(answers.Update(lines.back()).ok());
  EXPECT_EQ(Say(answers, heard_us + kBoundUs + 1), "nn");
}

TEST(BrokerAnswersTest, ALostConnectionALeaderThatIsGone) {
  BrokerAnswers answers = ForTopicT();
  const auto lines = Recorded("broker_down_up_leaderless.jsonl");
  EXPECT_THAT(Replay(lines, &answers),
              ElementsAre("nn", "yy", "nn", "nn",  // down after the second
                          "nn", "nn",
                          // Up again: answers after a fetch of its own.
                          "nn", "yy", "yy", "yy",
                          // Partition 0 has lost its leader.
                          "ny", "ny", "ny"));
}

TEST(BrokerAnswersTest, AReconnectBetweenTwoLooksIsNoticed) {
  BrokerAnswers answers = ForTopicT();
  auto lines = Recorded("kafka_stopped_and_continued.jsonl");
  lines.resize(3);
  lines[2] = absl::StrReplaceAll(lines[2],
                                 {{"\"connects\":1,\"req\":{\"Fetch\":30}",
                                   "\"connects\":2,\"req\":{\"Fetch\":30}"}});
  EXPECT_THAT(Replay(lines, &answers), ElementsAre("nn", "yy", "nn"));
}

TEST(BrokerAnswersTest, ANewLeaderHasToAnswerItself) {
  BrokerAnswers answers = ForTopicT();
  auto lines = Recorded("kafka_stopped_and_continued.jsonl");
  lines.resize(3);
  // The second partition is fetched from a broker that is not known.
  lines[2] = absl::StrReplaceAll(lines[2], {{"\"partition\":1,\"broker\":1",
                                             "\"partition\":1,\"broker\":2"}});
  EXPECT_THAT(Replay(lines, &answers), ElementsAre("nn", "yy", "yn"));
}

TEST(BrokerAnswersTest, APartitionThatIsNotFetchedIsNotAnswered) {
  for (const auto& [word, other] :
       std::vector<std::pair<std::string, std::string>>{
           {"\"unknown\":false", "\"unknown\":true"},
           {"\"fetch_state\":\"active\"", "\"fetch_state\":\"offset-wait\""},
           {"\"source\":\"configured\"", "\"source\":\"logical\""}}) {
    BrokerAnswers answers = ForTopicT();
    auto lines = Recorded("kafka_stopped_and_continued.jsonl");
    lines.resize(3);
    lines[2] = absl::StrReplaceAll(lines[2], {{word, other}});
    EXPECT_THAT(Replay(lines, &answers), ElementsAre("nn", "yy", "nn"))
        << other;
  }
}

TEST(BrokerAnswersTest, WhatIsNotUnderstoodIsNoAnswer) {
  BrokerAnswers answers = ForTopicT();
  auto lines = Recorded("kafka_stopped_and_continued.jsonl");
  lines.resize(2);
  EXPECT_THAT(Replay(lines, &answers), ElementsAre("nn", "yy"));
  const int64_t now_us = Ts(lines[1]);
  for (const std::string& text :
       {std::string(), std::string("{"), lines[1].substr(0, 300),
        absl::StrReplaceAll(lines[1], {{"rxidle", "idle"}})}) {
    const absl::Status status = answers.Update(text);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("not understood"));
  }
  EXPECT_EQ(Say(answers, now_us + kBoundUs), "nn");
}

}  // namespace
}  // namespace tidegate
