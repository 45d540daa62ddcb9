// RecordReader over librdkafka.
//
// Every partition has a queue of its own, read in batches without waiting; one
// condition, signalled by the queues, is what a Poll waits on. A topic that is
// not wanted is left unread in its queues, and librdkafka stops fetching it
// when they are full: a batch-read consumer must never be paused, resumed or
// sought (librdkafka#4208 skips offsets then).
//
// What limits the rate is librdkafka's cost per message (0.24 µs of CPU with
// jemalloc, 0.56 without; docs/BENCHMARKS.md), as long as its queues never
// run full: a full one backs off for up to a second (librdkafka#2879), hence
// the large queued.min.messages.
//
// Answering() goes by librdkafka's statistics (see broker_answers.h), which
// come every kStatisticsIntervalMs and cost 0.2% of a core with 300 partitions.
// It is false at the latest fetch.wait.max.ms + kAnswerSlackMs after the broker
// was last heard from: 1.6 s by default. It becomes true when a fetch that was
// asked after the (re)connect has been answered, within about two intervals.
#ifndef TIDEGATE_INGEST_KAFKA_KAFKA_READER_H_
#define TIDEGATE_INGEST_KAFKA_KAFKA_READER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/kafka/kafka_config.h"
#include "ingest/record.h"

namespace tidegate {

struct KafkaReaderOptions {
  // librdkafka's own names; bootstrap.servers, security and so on. Refused
  // are those that the reader's promises rest on: auto.offset.reset,
  // enable.auto.commit, enable.auto.offset.store, enable.partition.eof,
  // group.id, queued.max.messages.kbytes (see kMaxQueuedKbytes) and
  // statistics.interval.ms.
  KafkaProperties properties;
  std::vector<std::string> topics;
  // Reported to, never joined: tidegate-<pipeline>-<store id>.
  std::string group_id;
  // For each question to the broker.
  int request_timeout_ms = 10'000;
};

// What librdkafka may hold fetched and unread, over all partitions; each gets
// an equal share, at least kMinQueuedKbytes. In KiB.
inline constexpr int kMaxQueuedKbytes = 262'144;
inline constexpr int kMinQueuedKbytes = 1'024;

inline constexpr int kStatisticsIntervalMs = 500;
// Beyond fetch.wait.max.ms: the statistics' age, and a slow broker's pauses.
inline constexpr int kAnswerSlackMs = kStatisticsIntervalMs + 1'000;

// InvalidArgument if a property is unknown or refused. Does not wait for the
// broker.
absl::StatusOr<std::unique_ptr<RecordReader>> MakeKafkaReader(
    KafkaReaderOptions options);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_KAFKA_READER_H_
