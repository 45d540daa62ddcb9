// A plain producer: for the demo's generator, the benchmarks and tests.
#ifndef TIDEGATE_INGEST_KAFKA_KAFKA_PRODUCER_H_
#define TIDEGATE_INGEST_KAFKA_KAFKA_PRODUCER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ingest/kafka/dead_letter_headers.h"
#include "ingest/kafka/kafka_config.h"

namespace tidegate {

struct KafkaMessage {
  std::string topic;
  std::optional<int> partition;  // else by the key, or at random without one
  std::optional<absl::string_view> key;
  std::optional<absl::string_view> value;
  int64_t timestamp_ms = 0;  // 0: now
  RecordHeaders headers;
  // Called from Poll and Flush, once the broker has acknowledged the message or
  // it has failed; never if Produce refused it, or if the producer dies first.
  std::function<void(const absl::Status&)> done;
};

// Thread-safe. At most queue.buffering.max.messages wait.
class KafkaProducer {
 public:
  // linger.ms is 1 unless `properties` say otherwise, and acks is all. Of
  // `fixed`, see MakeKafkaConf.
  static absl::StatusOr<std::unique_ptr<KafkaProducer>> Create(
      const KafkaProperties& properties, const KafkaProperties& fixed = {});
  ~KafkaProducer();

  // Copies the message and queues it. ResourceExhausted if the queue is full:
  // Poll and try again.
  absl::Status Produce(const KafkaMessage& message);
  // Serves delivery reports, waiting at most `timeout_ms` for one.
  void Poll(int timeout_ms);
  // Waits until every message is delivered or has failed. DeadlineExceeded with
  // the number still waiting.
  absl::Status Flush(int timeout_ms);

  // As far as Poll and Flush have seen.
  int64_t delivered() const;
  int64_t failed() const;
  // Of the last failure; empty if there was none.
  std::string last_error() const;

 private:
  struct Impl;
  explicit KafkaProducer(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_KAFKA_PRODUCER_H_
