// Topics in memory behind the seams to Kafka, for tests and the simulation:
// everything a broker can do to a fold loop, on command.
#ifndef TIDEGATE_INGEST_LOOP_FAKE_KAFKA_H_
#define TIDEGATE_INGEST_LOOP_FAKE_KAFKA_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "ingest/record.h"

namespace tidegate {

// The broker. Thread-safe. Outlives its readers and writers.
class FakeKafka {
 public:
  // `seed` decides in which order readers take ready partitions; 0: in order.
  explicit FakeKafka(uint64_t seed = 0);
  ~FakeKafka();

  void CreateTopic(const std::string& topic, int partitions,
                   bool compacted = false);
  void DeleteTopic(const std::string& topic);
  void AddPartitions(const std::string& topic, int count);
  // Appends a record and returns its offset.
  Offset Produce(const std::string& topic, int partition, int64_t timestamp_ms,
                 std::optional<std::string> key,
                 std::optional<std::string> value,
                 std::optional<std::string> replay_views = std::nullopt,
                 RecordHeaders headers = {});
  // The record is gone, its offset stays a gap: what compaction does.
  void RemoveRecord(const std::string& topic, int partition, Offset offset);
  // The log's start moves up to `low`: what retention does.
  void RemoveBelow(const std::string& topic, int partition, Offset low);
  // While away, nothing is read, written or answered.
  void SetAway(bool away);
  // While down, a partition is not read, and its leader does not answer.
  void SetDown(const std::string& topic, int partition, bool down);
  // While denied, metadata knows no topic; reading goes on.
  void SetTopicsDenied(bool denied);
  // While held, dead letters are taken but not acknowledged.
  void HoldAcknowledgements(bool held);

  // Letters that were acknowledged, in the order written.
  std::vector<DeadLetter> dead_letters() const;
  // The positions of the last ReportOffsets.
  Positions reported() const;
  int report_count() const;

  // Topic i of the reader is topics[i].
  std::unique_ptr<RecordReader> NewReader(std::vector<std::string> topics);
  std::unique_ptr<DeadLetterWriter> NewWriter();

 private:
  class Reader;
  class Writer;
  struct Record {
    Offset offset;
    int64_t timestamp_ms = 0;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::optional<std::string> replay_views;  // the header of a replay
    // The other one of a replay, kReplayOriginHeader, is among them.
    RecordHeaders headers;
  };
  struct Partition {
    bool down = false;
    Offset low;
    Offset high;
    std::vector<Record> records;  // by offset; gaps are legal
    // The first record at or after `offset`.
    std::vector<Record>::const_iterator Find(Offset offset) const;
  };
  struct Topic {
    bool compacted = false;
    std::vector<Partition> partitions;
  };

  Partition& At(const std::string& topic, int partition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A number below `bound`, or 0 when there is no seed.
  uint64_t Random(uint64_t bound) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  CondVar changed_;
  uint64_t random_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Topic> topics_ ABSL_GUARDED_BY(mutex_);
  bool away_ ABSL_GUARDED_BY(mutex_) = false;
  bool denied_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<DeadLetter> letters_ ABSL_GUARDED_BY(mutex_);
  Positions reported_ ABSL_GUARDED_BY(mutex_);
  int report_count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_FAKE_KAFKA_H_
