// The dead-letter writer against the embedded broker.
#include "ingest/kafka/kafka_dead_letters.h"

#include <librdkafka/rdkafka.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ingest/kafka/kafka_fixture.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

DeadLetter Letter(const std::string& topic) {
  DeadLetter letter;
  letter.topic = topic;
  letter.source_topic = "orders";
  letter.partition = PartitionId(3);
  letter.offset = Offset(42);
  letter.timestamp_ms = 1234;
  letter.reason = "undecodable";
  letter.detail = "column \"a\": bad";
  letter.views = {"v1", "v2"};
  letter.replay_views = "v1@60,v2";
  letter.watermark = EventTime(1'700'000'000'000'000);
  letter.pipeline = "p";
  letter.key = "the key";
  letter.value = std::string("\0raw\xff", 5);
  return letter;
}

// Reads one message of partition 0 with its headers: "name=value …", after how
// it stands in time to the record: "later" or not.
std::string ReadLetter(const KafkaProperties& properties,
                       const std::string& topic) {
  auto conf = MakeKafkaConf({{"group.id", "letters"}}, properties, {});
  auto handle = MakeKafkaHandle(KafkaRole::kConsumer, *std::move(conf));
  rd_kafka_t* const consumer = handle->get();
  rd_kafka_poll_set_consumer(consumer);
  auto* const list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), 0)->offset = 0;
  rd_kafka_assign(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  auto* const message = rd_kafka_consumer_poll(consumer, 20'000);
  if (message == nullptr) return "nothing";
  const auto timestamp = rd_kafka_message_timestamp(message, nullptr);
  std::string text = absl::StrCat(
      absl::string_view(static_cast<char*>(message->key), message->key_len),
      "|",
      absl::string_view(static_cast<char*>(message->payload), message->len),
      "|", timestamp > Letter(topic).timestamp_ms ? "later" : "not later");
  rd_kafka_headers_t* headers = nullptr;
  rd_kafka_message_headers(message, &headers);
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
    absl::StrAppend(&text, "|", name, "=",
                    absl::string_view(static_cast<const char*>(value), size));
  }
  rd_kafka_message_destroy(message);
  return text;
}

TEST_F(KafkaTest, DeadLettersCarryTheRecordAndItsOrigin) {
  ASSERT_TRUE(broker_->CreateTopic("orders.dlq", 1).ok());
  const auto writer = MakeKafkaDeadLetterWriter(properties_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Flush(0).ok());  // nothing to wait for
  ASSERT_TRUE((*writer)->Write(Letter("orders.dlq")).ok());
  const absl::Status flushed = (*writer)->Flush(20'000);
  ASSERT_TRUE(flushed.ok()) << flushed;
  EXPECT_EQ(
      ReadLetter(properties_, "orders.dlq"),
      std::string("the key|\0raw\xff|later|", 20) +
          "tidegate.reason=undecodable|tidegate.detail=column \"a\": bad|"
          "tidegate.views=v1,v2|tidegate.topic=orders|tidegate.partition=3|"
          "tidegate.offset=42|tidegate.timestamp=1234|"
          "tidegate.replay.views=v1@60,v2|"
          "tidegate.watermark=2023-11-14T22:13:20Z|tidegate.pipeline=p");
}

TEST_F(KafkaTest, DeadLettersWaitForABrokerThatIsAway) {
  ASSERT_TRUE(broker_->CreateTopic("orders.dlq", 1).ok());
  const auto writer = MakeKafkaDeadLetterWriter(properties_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(broker_->SetDown().ok());
  ASSERT_TRUE((*writer)->Write(Letter("orders.dlq")).ok());
  const absl::Status away = (*writer)->Flush(100);
  EXPECT_TRUE(absl::IsUnavailable(away)) << away;
  ASSERT_TRUE(broker_->SetUp().ok());
  const absl::Status back = (*writer)->Flush(30'000);
  EXPECT_TRUE(back.ok()) << back;
  EXPECT_THAT(ReadLetter(properties_, "orders.dlq"), HasSubstr("the key|"));
}

}  // namespace
}  // namespace tidegate
