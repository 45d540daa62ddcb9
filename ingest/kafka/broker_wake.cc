#include "ingest/kafka/broker_wake.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace tidegate {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kWakeInterval(5);
constexpr int kMaxWakes = 5;

int LeftMs(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max(left, milliseconds(0)).count());
}

}  // namespace

rd_kafka_message_s* PollAwake(rd_kafka_s* consumer, const char* topic,
                              int partition, int timeout_ms) {
  const auto deadline = Clock::now() + milliseconds(timeout_ms);
  const int interval_ms = static_cast<int>(kWakeInterval.count());
  for (int wakes = 0; wakes < kMaxWakes; ++wakes) {
    rd_kafka_message_s* const message = rd_kafka_consumer_poll(
        consumer, std::min(interval_ms, LeftMs(deadline)));
    if (message != nullptr) return message;
    int64_t low = 0;
    int64_t high = 0;
    if (rd_kafka_query_watermark_offsets(consumer, topic, partition, &low,
                                         &high, LeftMs(deadline)) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      break;
    }
  }
  return rd_kafka_consumer_poll(consumer, LeftMs(deadline));
}

}  // namespace tidegate
