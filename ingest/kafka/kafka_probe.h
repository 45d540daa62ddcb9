// Questions about topics, asked through a consumer of their own, so that the
// reader's is never sought.
#ifndef TIDEGATE_INGEST_KAFKA_KAFKA_PROBE_H_
#define TIDEGATE_INGEST_KAFKA_KAFKA_PROBE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/kafka/kafka_config.h"
#include "ingest/record.h"

struct rd_kafka_message_s;

namespace tidegate {

// A message as a record that borrows from it.
RawRecord ToRawRecord(int topic, const rd_kafka_message_s& message);

// Thread-compatible. Each call asks the broker, at most `timeout_ms` a
// question; Unavailable if it does not answer.
class KafkaProbe {
 public:
  // `consumer` may be assigned what it likes; nobody else uses it.
  KafkaProbe(KafkaHandle consumer, int timeout_ms)
      : consumer_(std::move(consumer)), timeout_ms_(timeout_ms) {}

  // As in RecordReader.
  absl::StatusOr<std::vector<PartitionBounds>> Bounds(const std::string& topic);
  absl::StatusOr<std::optional<RecordReader::Probe>> ProbeAt(
      const std::string& topic, PartitionId partition, Offset offset);
  // False too if the broker does not know the question (the embedded one).
  absl::StatusOr<bool> IsCompacted(const std::string& topic);

 private:
  absl::StatusOr<std::vector<PartitionId>> Partitions(const std::string& topic);
  absl::StatusOr<bool> HasController();
  absl::StatusOr<PartitionBounds> BoundsOf(const std::string& topic,
                                           PartitionId partition);
  absl::StatusOr<std::optional<RecordReader::Probe>> ReadOne(
      const std::string& topic, PartitionId partition, Offset end);

  const KafkaHandle consumer_;
  const int timeout_ms_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_KAFKA_PROBE_H_
