// A Kafka broker in the process: librdkafka's mock cluster, for the demo and
// for tests. It speaks TCP on 127.0.0.1 at a port of its own choice, to any
// process.
//
// Limits: a partition keeps its last 5 MB or 100,000 batches and forgets what
// is older; nothing is stored on disk; a waiting fetch is not woken by new
// records, so readers set fetch.wait.max.ms to a few milliseconds;
// DescribeConfigs and the other admin calls are not supported.
#ifndef TIDEGATE_INGEST_KAFKA_EMBEDDED_BROKER_H_
#define TIDEGATE_INGEST_KAFKA_EMBEDDED_BROKER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidegate {

// Thread-safe.
class EmbeddedBroker {
 public:
  static absl::StatusOr<std::unique_ptr<EmbeddedBroker>> Start();
  ~EmbeddedBroker();
  EmbeddedBroker(const EmbeddedBroker&) = delete;
  EmbeddedBroker& operator=(const EmbeddedBroker&) = delete;

  // "127.0.0.1:PORT"
  std::string bootstrap_servers() const;
  // A topic that is not created comes into being, with 4 partitions, when
  // a client asks for it.
  absl::Status CreateTopic(const std::string& name, int partitions);
  // Drops all connections and refuses new ones, until SetUp().
  absl::Status SetDown();
  absl::Status SetUp();
  // From now on the topic's metadata says that it does not exist, or, with
  // false, that it does.
  void SetTopicMissing(const std::string& name, bool missing);
  // Takes the partition's leader away, or gives it one again.
  absl::Status SetLeaderless(const std::string& name, int partition,
                             bool leaderless);
  // Answers so much later from now on; connections stay.
  absl::Status SetAnswerDelay(int delay_ms);

 private:
  struct Impl;
  explicit EmbeddedBroker(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_EMBEDDED_BROKER_H_
