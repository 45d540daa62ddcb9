// For the tests of this folder: an embedded broker with a producer.
#ifndef TIDEGATE_INGEST_KAFKA_KAFKA_FIXTURE_H_
#define TIDEGATE_INGEST_KAFKA_KAFKA_FIXTURE_H_

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/kafka_producer.h"
#include "ingest/kafka/kafka_reader.h"

namespace tidegate {

inline constexpr auto kAllTopics = [](int, PartitionId) { return true; };

inline constexpr std::chrono::seconds kPatience(30);

class KafkaTest : public testing::Test {
 protected:
  void SetUp() override {
    auto broker = EmbeddedBroker::Start();
    ASSERT_TRUE(broker.ok()) << broker.status();
    broker_ = *std::move(broker);
    properties_ = {{"bootstrap.servers", broker_->bootstrap_servers()},
                   {"socket.connection.setup.timeout.ms", "1000"},
                   {"topic.metadata.refresh.interval.ms", "200"}};
    auto producer = KafkaProducer::Create(properties_);
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = *std::move(producer);
  }

  void Produce(const std::string& topic, int partition,
               const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      const std::string key = absl::StrCat("k-", value);
      ASSERT_TRUE(producer_
                      ->Produce({.topic = topic,
                                 .partition = partition,
                                 .key = key,
                                 .value = value,
                                 .timestamp_ms = 1'000 + next_++})
                      .ok());
    }
    ASSERT_TRUE(producer_->Flush(10'000).ok());
    ASSERT_EQ(producer_->failed(), 0) << producer_->last_error();
  }

  std::unique_ptr<RecordReader> Reader(const std::vector<std::string>& topics,
                                       const KafkaProperties& more = {}) {
    KafkaReaderOptions options;
    options.properties = properties_;
    options.properties["fetch.wait.max.ms"] = "5";
    for (const auto& [name, value] : more) options.properties[name] = value;
    options.topics = topics;
    options.group_id = "tidegate-test-1";
    auto reader = MakeKafkaReader(options);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return *std::move(reader);
  }

  // Polls until `done`; what came, by topic number and partition, as
  // "offset:value".
  using Read = std::map<std::pair<int, int>, std::vector<std::string>>;
  absl::Status PollUntil(RecordReader* reader, const std::vector<bool>& wanted,
                         const std::function<bool()>& done, Read* read,
                         int max_records = 1000) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return absl::DeadlineExceededError("the test's patience ended");
      }
      const auto count =
          reader->Poll([&](int topic, PartitionId) { return wanted[topic]; },
                       max_records, 100,
                       [&](const RawRecord& r) {
                         (*read)[{r.topic, r.partition.value()}].push_back(
                             absl::StrCat(r.offset.value(), ":", r.value));
                       });
      if (!count.ok()) return count.status();
      EXPECT_LE(*count, max_records);
    }
    return absl::OkStatus();
  }

  KafkaProperties properties_;
  std::unique_ptr<EmbeddedBroker> broker_;
  std::unique_ptr<KafkaProducer> producer_;
  int64_t next_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_KAFKA_FIXTURE_H_
