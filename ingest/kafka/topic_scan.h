// Reads a topic once, from its start to the ends it had then, with headers. For
// commands; the fold loop has its own reader.
#ifndef TIDEGATE_INGEST_KAFKA_TOPIC_SCAN_H_
#define TIDEGATE_INGEST_KAFKA_TOPIC_SCAN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ingest/kafka/dead_letter_headers.h"
#include "ingest/kafka/kafka_config.h"
#include "ingest/record.h"

namespace tidegate {

struct StoredRecord {
  PartitionId partition;
  Offset offset;
  int64_t timestamp_ms = 0;
  RecordHeaders headers;
  std::optional<std::string> key;
  std::optional<std::string> value;
};

// Thread-compatible. Joins no group.
class TopicScan {
 public:
  // Does not wait for the broker. `timeout_ms` is for each answer of it.
  static absl::StatusOr<std::unique_ptr<TopicScan>> Create(
      const KafkaProperties& properties, int timeout_ms);
  ~TopicScan();

  // The partitions and what they hold now. NotFound if there is no such topic,
  // Unavailable if the broker does not answer.
  absl::StatusOr<std::vector<PartitionBounds>> Bounds(const std::string& topic);
  // False too if the broker does not know the question (the embedded one).
  absl::StatusOr<bool> IsCompacted(const std::string& topic);
  // Hands over the records of one partition in [low, high), in order. A status
  // of `sink` ends it and is returned; Unavailable if nothing comes for
  // `timeout_ms`.
  absl::Status Read(const std::string& topic, const PartitionBounds& bounds,
                    absl::FunctionRef<absl::Status(StoredRecord)> sink);

 private:
  struct Impl;
  explicit TopicScan(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_TOPIC_SCAN_H_
