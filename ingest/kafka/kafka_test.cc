// The reader, its questions and its refusals, against the embedded broker.
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ingest/kafka/kafka_dead_letters.h"
#include "ingest/kafka/kafka_fixture.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using SteadyClock = std::chrono::steady_clock;

TEST_F(KafkaTest, ReadsWhatIsProducedAndKnowsTheEnd) {
  ASSERT_TRUE(broker_->CreateTopic("a", 1).ok());
  Produce("a", 0, {"x", "y", "z"});
  const auto reader = Reader({"a"});
  EXPECT_FALSE(reader->AtEnd(0, PartitionId(0)));
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  std::vector<std::string> seen;
  const auto deadline = SteadyClock::now() + kPatience;
  while (!reader->AtEnd(0, PartitionId(0)) && SteadyClock::now() < deadline) {
    ASSERT_TRUE(reader
                    ->Poll(kAllTopics, 1000, 100,
                           [&](const RawRecord& r) {
                             EXPECT_TRUE(r.has_key && r.has_value);
                             seen.push_back(absl::StrCat(r.offset.value(), " ",
                                                         r.timestamp_ms, " ",
                                                         r.key, " ", r.value));
                           })
                    .ok());
  }
  EXPECT_THAT(seen,
              ElementsAre("0 1000 k-x x", "1 1001 k-y y", "2 1002 k-z z"));
  // More comes: the end is where it was until that has been handed over.
  Produce("a", 0, {"w"});
  Read read;
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true}, [&] { return !read.empty(); }, &read)
                  .ok());
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] { return reader->AtEnd(0, PartitionId(0)); }, &read)
                  .ok());
  EXPECT_THAT((read[{0, 0}]), ElementsAre("3:w"));
}

TEST_F(KafkaTest, TellsNullFromEmpty) {
  ASSERT_TRUE(broker_->CreateTopic("a", 1).ok());
  ASSERT_TRUE(producer_->Produce({.topic = "a", .partition = 0}).ok());
  ASSERT_TRUE(
      producer_->Produce({.topic = "a", .partition = 0, .key = "", .value = ""})
          .ok());
  ASSERT_TRUE(producer_->Flush(10'000).ok());
  const auto reader = Reader({"a"});
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  std::vector<std::string> seen;
  const auto deadline = SteadyClock::now() + kPatience;
  while (seen.size() < 2 && SteadyClock::now() < deadline) {
    ASSERT_TRUE(reader
                    ->Poll(kAllTopics, 10, 100,
                           [&](const RawRecord& r) {
                             seen.push_back(absl::StrCat(r.has_key, r.has_value,
                                                         r.key.size(),
                                                         r.value.size()));
                           })
                    .ok());
  }
  EXPECT_THAT(seen, ElementsAre("0000", "1100"));
}

TEST_F(KafkaTest, ResumesAtAnOffsetAndAddsPartitionsWhileReading) {
  ASSERT_TRUE(broker_->CreateTopic("a", 2).ok());
  Produce("a", 0, {"p", "q", "r"});
  Produce("a", 1, {"s", "t"});
  const auto reader = Reader({"a"});
  Read read;
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(2)).ok());
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] { return reader->AtEnd(0, PartitionId(0)); }, &read)
                  .ok());
  EXPECT_THAT((read[{0, 0}]), ElementsAre("2:r"));
  ASSERT_TRUE(reader->Start(0, PartitionId(1), Offset(1)).ok());
  Produce("a", 0, {"u"});
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] {
                    return read[{0, 0}].size() == 2 && read[{0, 1}].size() == 1;
                  },
                  &read)
                  .ok());
  EXPECT_THAT((read[{0, 0}]), ElementsAre("2:r", "3:u"));
  EXPECT_THAT((read[{0, 1}]), ElementsAre("1:t"));
}

TEST_F(KafkaTest, ReadsEveryPartitionFairlyAndInOrder) {
  constexpr int kPartitions = 4;
  constexpr int kEach = 500;
  ASSERT_TRUE(broker_->CreateTopic("a", kPartitions).ok());
  for (int p = 0; p < kPartitions; ++p) {
    std::vector<std::string> values;
    values.reserve(kEach);
    for (int i = 0; i < kEach; ++i) values.push_back(absl::StrCat(i));
    Produce("a", p, values);
  }
  const auto reader = Reader({"a"});
  for (int p = 0; p < kPartitions; ++p) {
    ASSERT_TRUE(reader->Start(0, PartitionId(p), Offset(0)).ok());
  }
  Read read;
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] {
                    size_t total = 0;
                    for (auto& [where, list] : read) total += list.size();
                    return total == size_t{kPartitions} * kEach;
                  },
                  &read, /*max_records=*/64)
                  .ok());
  for (int p = 0; p < kPartitions; ++p) {
    ASSERT_EQ((read[{0, p}].size()), size_t{kEach});
    for (int i = 0; i < kEach; ++i) {
      ASSERT_EQ((read[{0, p}][i]), absl::StrCat(i, ":", i));
    }
  }
}

TEST_F(KafkaTest, UnwantedTopicsWaitAndLoseNothing) {
  ASSERT_TRUE(broker_->CreateTopic("table", 1).ok());
  ASSERT_TRUE(broker_->CreateTopic("stream", 1).ok());
  std::vector<std::string> values;
  values.reserve(1000);
  for (int i = 0; i < 1000; ++i) values.push_back(absl::StrCat(i));
  Produce("stream", 0, values);
  Produce("table", 0, {"row"});
  const auto reader = Reader({"table", "stream"});
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  ASSERT_TRUE(reader->Start(1, PartitionId(0), Offset(0)).ok());
  Read read;
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true, false},
                  [&] { return reader->AtEnd(0, PartitionId(0)); }, &read)
                  .ok());
  EXPECT_THAT((read[{0, 0}]), ElementsAre("0:row"));
  EXPECT_EQ(read.count({1, 0}), size_t{0});
  EXPECT_FALSE(reader->AtEnd(1, PartitionId(0)));
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true, true},
                  [&] { return reader->AtEnd(1, PartitionId(0)); }, &read,
                  /*max_records=*/7)
                  .ok());
  ASSERT_EQ((read[{1, 0}].size()), values.size());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ((read[{1, 0}][i]), absl::StrCat(i, ":", i));
  }
}

TEST_F(KafkaTest, WakeEndsAPollThatWaits) {
  ASSERT_TRUE(broker_->CreateTopic("a", 1).ok());
  const auto reader = Reader({"a"});
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  Read read;
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] { return reader->AtEnd(0, PartitionId(0)); }, &read)
                  .ok());
  const auto begin = SteadyClock::now();
  std::thread waker([&] { reader->Wake(); });
  const auto count =
      reader->Poll(kAllTopics, 10, 60'000, [](const RawRecord&) { FAIL(); });
  waker.join();
  EXPECT_TRUE(count.ok() && *count == 0);
  EXPECT_LT(SteadyClock::now() - begin, kPatience);
}

TEST_F(KafkaTest, ANewRecordEndsAPollThatWaits) {
  ASSERT_TRUE(broker_->CreateTopic("a", 1).ok());
  const auto reader = Reader({"a"});
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  Read read;
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] { return reader->AtEnd(0, PartitionId(0)); }, &read)
                  .ok());
  std::thread writer([&] { Produce("a", 0, {"x"}); });
  int count = 0;
  const auto begin = SteadyClock::now();
  const auto polled =
      reader->Poll(kAllTopics, 10, 60'000, [&](const RawRecord&) { ++count; });
  writer.join();
  EXPECT_TRUE(polled.ok());
  EXPECT_EQ(count, 1);
  EXPECT_LT(SteadyClock::now() - begin, kPatience);
}

TEST_F(KafkaTest, BoundsAndProbe) {
  ASSERT_TRUE(broker_->CreateTopic("a", 2).ok());
  Produce("a", 1, {"x", "y"});
  // Asked for, a topic that does not exist would come into being here.
  broker_->SetTopicMissing("nowhere", true);
  const auto reader = Reader({"a", "nowhere"});
  const auto bounds = reader->Bounds(0);
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  ASSERT_EQ(bounds->size(), size_t{2});
  EXPECT_EQ((*bounds)[0].high, Offset(0));
  EXPECT_EQ((*bounds)[1].partition, PartitionId(1));
  EXPECT_EQ((*bounds)[1].low, Offset(0));
  EXPECT_EQ((*bounds)[1].high, Offset(2));
  EXPECT_TRUE(absl::IsNotFound(reader->Bounds(1).status()))
      << reader->Bounds(1).status();

  RawRecord expected;
  expected.has_key = expected.has_value = true;
  expected.key = "k-y";
  expected.value = "y";
  for (int round = 0; round < 3; ++round) {
    const auto probe = reader->ProbeAt(0, PartitionId(1), Offset(1));
    ASSERT_TRUE(probe.ok()) << probe.status();
    ASSERT_TRUE(probe->has_value());
    EXPECT_EQ((*probe)->offset, Offset(1));
    EXPECT_EQ((*probe)->timestamp_ms, 1001);
    EXPECT_EQ((*probe)->hash, RecordHash(expected));
    const auto first = reader->ProbeAt(0, PartitionId(1), Offset(0));
    ASSERT_TRUE(first.ok() && first->has_value());
    EXPECT_EQ((*first)->offset, Offset(0));
    const auto beyond = reader->ProbeAt(0, PartitionId(1), Offset(2));
    ASSERT_TRUE(beyond.ok());
    EXPECT_FALSE(beyond->has_value());
  }
  const auto compacted = reader->IsCompacted(0);
  ASSERT_TRUE(compacted.ok()) << compacted.status();
  EXPECT_FALSE(*compacted);
}

TEST_F(KafkaTest, AnOffsetThatIsGoneIsFatal) {
  ASSERT_TRUE(broker_->CreateTopic("a", 1).ok());
  const std::string large(100'000, 'x');
  // More than the broker keeps of a partition.
  for (int i = 0; i < 10; ++i) {
    Produce("a", 0, std::vector<std::string>(8, large));
  }
  const auto reader = Reader({"a"});
  const auto bounds = reader->Bounds(0);
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  ASSERT_GT((*bounds)[0].low, Offset(0));
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  Read read;
  const absl::Status status = PollUntil(
      reader.get(), {true}, [] { return false; }, &read);
  EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("topic=a partition=0 offset=0"));
  EXPECT_TRUE(read.empty());
  // A probe below the start finds the first record that is left.
  const auto probe = reader->ProbeAt(0, PartitionId(0), Offset(0));
  ASSERT_TRUE(probe.ok() && probe->has_value()) << probe.status();
  EXPECT_GE((*probe)->offset, (*bounds)[0].low);
}

TEST_F(KafkaTest, ATopicThatGoesAwayIsFatal) {
  ASSERT_TRUE(broker_->CreateTopic("a", 1).ok());
  Produce("a", 0, {"x"});
  const auto reader = Reader({"a"});
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  Read read;
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] { return reader->AtEnd(0, PartitionId(0)); }, &read)
                  .ok());
  broker_->SetTopicMissing("a", true);
  const absl::Status status = PollUntil(
      reader.get(), {true}, [] { return false; }, &read);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("topic=a partition=0 offset=1"));
}

TEST_F(KafkaTest, ABrokerThatComesBackIsReadOn) {
  ASSERT_TRUE(broker_->CreateTopic("a", 1).ok());
  Produce("a", 0, {"x"});
  const auto reader = Reader({"a"}, {{"socket.timeout.ms", "2000"}});
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  Read read;
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] {
                    return read[{0, 0}].size() == 1;
                  },
                  &read)
                  .ok());
  ASSERT_TRUE(broker_->SetDown().ok());
  const auto away = reader->Poll(kAllTopics, 10, 300, [](const RawRecord&) {});
  EXPECT_TRUE(away.ok()) << away.status();
  ASSERT_TRUE(broker_->SetUp().ok());
  Produce("a", 0, {"y", "z"});
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] {
                    return read[{0, 0}].size() == 3;
                  },
                  &read)
                  .ok());
  EXPECT_THAT((read[{0, 0}]), ElementsAre("0:x", "1:y", "2:z"));
}

TEST_F(KafkaTest, BoundsOfABrokerThatIsAwayAreUnavailable) {
  KafkaReaderOptions options;
  options.properties = properties_;
  options.topics = {"a"};
  options.group_id = "tidegate-test-1";
  options.request_timeout_ms = 300;
  ASSERT_TRUE(broker_->SetDown().ok());
  const auto reader = MakeKafkaReader(options);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto bounds = (*reader)->Bounds(0);
  EXPECT_TRUE(absl::IsUnavailable(bounds.status())) << bounds.status();
}

TEST_F(KafkaTest, RefusesPropertiesByName) {
  KafkaReaderOptions options;
  options.group_id = "g";
  options.properties = {{"fetch.wait.max", "5"}};
  EXPECT_THAT(std::string(MakeKafkaReader(options).status().message()),
              HasSubstr("no such kafka property \"fetch.wait.max\", did you "
                        "mean \"fetch.wait.max.ms\"?"));
  options.properties = {{"fetch.wait.max.ms", "soon"}};
  EXPECT_THAT(std::string(MakeKafkaReader(options).status().message()),
              HasSubstr("bad value for kafka property \"fetch.wait.max.ms\""));
  options.properties = {{"enable.auto.commit", "true"}};
  EXPECT_THAT(std::string(MakeKafkaReader(options).status().message()),
              HasSubstr("\"enable.auto.commit\" is Tidegate's own"));
  options.properties = {{"statistics.interval.ms", "0"}};
  EXPECT_THAT(std::string(MakeKafkaReader(options).status().message()),
              HasSubstr("\"statistics.interval.ms\" is Tidegate's own"));
  EXPECT_THAT(
      std::string(
          MakeKafkaDeadLetterWriter({{"acks", "1"}}).status().message()),
      HasSubstr("\"acks\" is Tidegate's own"));
}

TEST_F(KafkaTest, RecordsThatWereSentBackAreKnownByBothHeaders) {
  ASSERT_TRUE(broker_->CreateTopic("a", 1).ok());
  const std::vector<RecordHeaders> sent = {
      {},
      {{"trace", "1"}, {"n", std::nullopt}, {"trace", ""}},
      {{kReplayViewsHeader, "v1"}},  // a dead letter's
      {{kReplayOriginHeader, "a/0/0"}},
      {{kReplayViewsHeader, "v1,v2@60"},
       {"trace", "2"},
       {kReplayOriginHeader, "a/0/1"}},
      {{kReplayOriginHeader, "a/0/2"}, {kReplayViewsHeader, ""}},
  };
  for (const RecordHeaders& headers : sent) {
    ASSERT_TRUE(producer_
                    ->Produce({.topic = "a",
                               .partition = 0,
                               .value = "x",
                               .headers = headers})
                    .ok());
  }
  ASSERT_TRUE(producer_->Flush(10'000).ok());
  const auto reader = Reader({"a"});
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  std::vector<std::string> seen;
  std::vector<RecordHeaders> got;
  std::vector<std::string> traced;
  const auto deadline = SteadyClock::now() + kPatience;
  while (seen.size() < sent.size() && SteadyClock::now() < deadline) {
    ASSERT_TRUE(reader
                    ->Poll(kAllTopics, 10, 100,
                           [&](const RawRecord& r) {
                             seen.push_back(absl::StrCat(r.is_replay, "|",
                                                         r.replay_views, "|",
                                                         r.replay_origin));
                             got.push_back(CopyOf(r.headers));
                             HeaderView::Value last = "?";
                             traced.push_back(r.headers.Last("trace", &last)
                                                  ? std::string(*last)
                                                  : "none");
                           })
                    .ok());
  }
  EXPECT_THAT(seen, ElementsAre("0||", "0||", "0||", "0||", "1|v1,v2@60|a/0/1",
                                "1||a/0/2"));
  EXPECT_EQ(got, sent);
  EXPECT_THAT(traced, ElementsAre("none", "", "none", "none", "2", "none"));
}

// The committed offset, as a lag tool would ask for it; -1001 if none.
int64_t Committed(const KafkaProperties& properties, const std::string& topic) {
  auto conf = MakeKafkaConf({{"group.id", "tidegate-test-1"}}, properties, {});
  auto handle = MakeKafkaHandle(KafkaRole::kConsumer, *std::move(conf));
  auto* const list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), 0);
  rd_kafka_committed(handle->get(), list, 5'000);
  const int64_t offset = list->elems[0].offset;
  rd_kafka_topic_partition_list_destroy(list);
  return offset;
}

TEST_F(KafkaTest, ReportsOffsetsWithoutJoiningTheGroup) {
  ASSERT_TRUE(broker_->CreateTopic("a", 1).ok());
  Produce("a", 0, {"x", "y"});
  const auto reader = Reader({"a"});
  ASSERT_TRUE(reader->Start(0, PartitionId(0), Offset(0)).ok());
  Read read;
  ASSERT_TRUE(PollUntil(
                  reader.get(), {true},
                  [&] { return reader->AtEnd(0, PartitionId(0)); }, &read)
                  .ok());
  Positions positions;
  positions.partitions[{"a", PartitionId(0)}].next_offset = Offset(2);
  reader->ReportOffsets(positions);
  int64_t committed = -1;
  const auto deadline = SteadyClock::now() + kPatience;
  while (committed != 2 && SteadyClock::now() < deadline) {
    ASSERT_TRUE(reader->Poll(kAllTopics, 10, 10, [](const RawRecord&) {}).ok());
    committed = Committed(properties_, "a");
  }
  EXPECT_EQ(committed, 2);
}

}  // namespace
}  // namespace tidegate
