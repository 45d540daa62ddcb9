// A partition that was just assigned, and librdkafka's sleep.
#ifndef TIDEGATE_INGEST_KAFKA_BROKER_WAKE_H_
#define TIDEGATE_INGEST_KAFKA_BROKER_WAKE_H_

extern "C" {
struct rd_kafka_s;
struct rd_kafka_message_s;
}

namespace tidegate {

// As rd_kafka_consumer_poll of a consumer that has only this partition.
//
// In librdkafka 2.0.2 the thread of an idle broker looks for partitions to
// fetch once a second. That a partition has come wakes it, but often before the
// partition is to be fetched: then the first record is a second late. Any
// question to the partition's leader wakes it again; while nothing comes, this
// asks one every few milliseconds, a few times.
//
// The broker answers a connection's questions one after the other, a fetch that
// finds nothing after fetch.wait.max.ms, and a question that is not answered in
// time costs the connection: so the consumer must have kAwakeFetchWaitMs.
rd_kafka_message_s* PollAwake(rd_kafka_s* consumer, const char* topic,
                              int partition, int timeout_ms);
inline constexpr char kAwakeFetchWaitMs[] = "10";

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_BROKER_WAKE_H_
