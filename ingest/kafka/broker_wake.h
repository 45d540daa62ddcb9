// Partitions that were just assigned, and librdkafka's sleep.
#ifndef TIDEGATE_INGEST_KAFKA_BROKER_WAKE_H_
#define TIDEGATE_INGEST_KAFKA_BROKER_WAKE_H_

#include <chrono>

extern "C" {
struct rd_kafka_s;
struct rd_kafka_message_s;
}

namespace tidegate {

// In librdkafka 2.0.2 the thread of an idle broker looks for partitions to
// fetch once a second. That a partition has come wakes it, but often before the
// partition is to be fetched: then the first record is a second late. Any
// question to the partition's leader wakes it again; this asks one. False if
// there was no answer within a tenth of a second.
bool WakeLeader(rd_kafka_s* handle, const char* topic, int partition);

// As rd_kafka_consumer_poll of a consumer that has only this partition.
rd_kafka_message_s* PollAwake(rd_kafka_s* consumer, const char* topic,
                              int partition, int timeout_ms);

// How long the first record is waited for before the leader is woken, and how
// often.
inline constexpr std::chrono::milliseconds kWakeInterval(5);
inline constexpr int kMaxWakes = 5;

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_BROKER_WAKE_H_
