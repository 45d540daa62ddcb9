#include "loadtest/bench/load.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "loadtest/bench/bare_handle.h"
#include "loadtest/bench/workload.h"

namespace tidegate {
namespace {

constexpr int kAdminTimeoutMs = 30'000;
constexpr int kFlushTimeoutMs = 120'000;
constexpr int kFullQueueWaitMs = 10;
constexpr int kPollEvery = 1000;

absl::Status ToStatus(rd_kafka_resp_err_t error, absl::string_view what) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  const std::string message = absl::StrCat(what, ": ", rd_kafka_err2str(error));
  return error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS
             ? absl::AlreadyExistsError(message)
             : absl::UnavailableError(message);
}

}  // namespace

absl::Status CreateBenchTopic(const std::string& bootstrap_servers,
                              const std::string& topic, int partitions) {
  ASSIGN_OR_RETURN(
      const BareHandle handle,
      MakeBareProducer({{"bootstrap.servers", bootstrap_servers}}));
  char error[512];
  rd_kafka_NewTopic_t* wanted =
      rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, error, sizeof(error));
  if (wanted == nullptr) return absl::InvalidArgumentError(error);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(handle.get());
  rd_kafka_CreateTopics(handle.get(), &wanted, 1, nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kAdminTimeoutMs);
  absl::Status status = absl::UnavailableError("creating a topic: no answer");
  if (event != nullptr) {
    status = ToStatus(rd_kafka_event_error(event), "creating a topic");
    size_t count = 0;
    const rd_kafka_CreateTopics_result_t* result =
        rd_kafka_event_CreateTopics_result(event);
    if (status.ok() && result != nullptr) {
      const rd_kafka_topic_result_t** topics =
          rd_kafka_CreateTopics_result_topics(result, &count);
      if (count == 1) {
        status = ToStatus(rd_kafka_topic_result_error(topics[0]), topic);
      }
    }
    rd_kafka_event_destroy(event);
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_NewTopic_destroy(wanted);
  return status;
}

BareSettings BulkProducerSettings(const std::string& bootstrap_servers) {
  return {{"bootstrap.servers", bootstrap_servers},
          {"acks", "1"},
          {"linger.ms", "20"},
          {"queue.buffering.max.messages", "1000000"}};
}

absl::Status ProduceRecord(rd_kafka_s* handle, const std::string& topic,
                           int partition, const std::string& key,
                           const std::string& value) {
  while (true) {
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        handle, RD_KAFKA_V_TOPIC(topic.c_str()),
        RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(key.data(), key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
        RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      return ToStatus(error, "produce");
    }
    rd_kafka_poll(handle, kFullQueueWaitMs);
  }
}

absl::Status FlushRecords(rd_kafka_s* handle) {
  return ToStatus(rd_kafka_flush(handle, kFlushTimeoutMs), "flush");
}

absl::Status ProduceOrders(
    const OrderLoad& load,
    const std::function<void(int64_t, int64_t)>& before) {
  BareSettings settings = BulkProducerSettings(load.bootstrap_servers);
  if (load.rate > 0) settings.emplace_back("linger.ms", "1");
  ASSIGN_OR_RETURN(const BareHandle handle, MakeBareProducer(settings));
  using SteadyClock = std::chrono::steady_clock;
  const auto start = SteadyClock::now();
  std::string key;
  std::string value;
  const int64_t burst =
      std::max<int64_t>(1, int64_t{load.rate} * load.burst_ms / 1000);
  for (int64_t n = 0; n < load.events; ++n) {
    if (load.rate > 0 && n % burst == 0) {
      std::this_thread::sleep_until(
          start + std::chrono::microseconds(n * 1'000'000 / load.rate));
    }
    const int64_t i = load.first + n;
    const int64_t driver = i % load.keys;
    key = absl::StrCat(driver);
    const int64_t event_us = Clock::System()->Now().value();
    EncodeOrder(i, driver, event_us, &value);
    if (before != nullptr) before(i, event_us);
    RETURN_IF_ERROR(ProduceRecord(handle.get(), load.topic,
                                  PartitionOfDriver(driver, load.partitions),
                                  key, value));
    if (load.rate > 0 || n % kPollEvery == 0) rd_kafka_poll(handle.get(), 0);
  }
  return FlushRecords(handle.get());
}

}  // namespace tidegate
