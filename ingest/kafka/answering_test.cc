// What the reader says of its brokers, against the embedded one.
#include <chrono>
#include <memory>

#include "gtest/gtest.h"
#include "ingest/kafka/kafka_fixture.h"

namespace tidegate {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr PartitionId kFirst(0);
constexpr PartitionId kSecond(1);

class AnsweringTest : public KafkaTest {
 protected:
  void SetUp() override {
    KafkaTest::SetUp();
    ASSERT_TRUE(broker_->CreateTopic("a", 2).ok());
    reader_ = Reader({"a"});
    for (const PartitionId partition : {kFirst, kSecond}) {
      EXPECT_FALSE(reader_->Answering(0, partition));
      ASSERT_TRUE(reader_->Start(0, partition, Offset(0)).ok());
      EXPECT_FALSE(reader_->Answering(0, partition));
    }
  }

  // Polls, as the fold loop does, until the partition is said to answer or not.
  // How long that took; kPatience: too long.
  SteadyClock::duration Until(PartitionId partition, bool answering) {
    const auto begin = SteadyClock::now();
    while (reader_->Answering(0, partition) != answering &&
           SteadyClock::now() - begin < kPatience) {
      EXPECT_TRUE(
          reader_->Poll(kAllTopics, 100, 20, [](const RawRecord&) {}).ok());
    }
    return SteadyClock::now() - begin;
  }

  std::unique_ptr<RecordReader> reader_;
};

TEST_F(AnsweringTest, ABrokerThatGoesAndComesBack) {
  ASSERT_LT(Until(kFirst, true), kPatience);
  EXPECT_FALSE(reader_->Answering(0, PartitionId(7)));
  ASSERT_TRUE(broker_->SetDown().ok());
  EXPECT_LT(Until(kFirst, false), kPatience);
  ASSERT_TRUE(broker_->SetUp().ok());
  EXPECT_LT(Until(kFirst, true), kPatience);
}

TEST_F(AnsweringTest, ABrokerThatFallsSilent) {
  ASSERT_LT(Until(kSecond, true), kPatience);
  ASSERT_TRUE(broker_->SetAnswerDelay(60'000).ok());
  // The bound of kafka_reader.h, with what a busy machine needs.
  EXPECT_LT(Until(kSecond, false),
            milliseconds(5 + kAnswerSlackMs) + std::chrono::seconds(3));
}

TEST_F(AnsweringTest, SilenceOfTheReaderItselfIsNoAnswer) {
  ASSERT_LT(Until(kFirst, true), kPatience);
  // Nobody serves the client: what it said last grows old.
  const auto begin = SteadyClock::now();
  while (reader_->Answering(0, kFirst) &&
         SteadyClock::now() - begin < kPatience) {
  }
  EXPECT_LT(SteadyClock::now() - begin,
            milliseconds(5 + kAnswerSlackMs) + std::chrono::seconds(3));
}

TEST_F(AnsweringTest, APartitionWithoutLeader) {
  ASSERT_LT(Until(kFirst, true), kPatience);
  ASSERT_TRUE(broker_->SetLeaderless("a", 0, true).ok());
  EXPECT_LT(Until(kFirst, false), kPatience);
  EXPECT_LT(Until(kSecond, true), kPatience);
  ASSERT_TRUE(broker_->SetLeaderless("a", 0, false).ok());
  EXPECT_LT(Until(kFirst, true), kPatience);
}

TEST_F(AnsweringTest, AMissingTopic) {
  ASSERT_LT(Until(kFirst, true), kPatience);
  broker_->SetTopicMissing("a", true);
  const auto begin = SteadyClock::now();
  absl::Status status;
  while (status.ok() && SteadyClock::now() - begin < kPatience) {
    status =
        reader_->Poll(kAllTopics, 10, 20, [](const RawRecord&) {}).status();
  }
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_FALSE(reader_->Answering(0, kFirst));
}

}  // namespace
}  // namespace tidegate
