#include "ingest/kafka/broker_wake.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdint>

namespace tidegate {
namespace {

constexpr int kTimeoutMs = 100;

}  // namespace

bool WakeLeader(rd_kafka_s* handle, const char* topic, int partition) {
  int64_t low = 0;
  int64_t high = 0;
  return rd_kafka_query_watermark_offsets(handle, topic, partition, &low, &high,
                                          kTimeoutMs) ==
         RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_message_s* PollAwake(rd_kafka_s* consumer, const char* topic,
                              int partition, int timeout_ms) {
  using Clock = std::chrono::steady_clock;
  using std::chrono::milliseconds;
  const auto deadline = Clock::now() + milliseconds(timeout_ms);
  for (int wakes = 0; wakes < kMaxWakes; ++wakes) {
    const milliseconds wait = std::min(kWakeInterval, milliseconds(timeout_ms));
    rd_kafka_message_s* const message =
        rd_kafka_consumer_poll(consumer, static_cast<int>(wait.count()));
    if (message != nullptr) return message;
    if (!WakeLeader(consumer, topic, partition)) break;
  }
  const auto left =
      std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
  return rd_kafka_consumer_poll(
      consumer, static_cast<int>(std::max(left, milliseconds(0)).count()));
}

}  // namespace tidegate
