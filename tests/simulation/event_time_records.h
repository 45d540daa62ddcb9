// Produces random records of a world into fake topics, and keeps what was
// produced for the model.
#ifndef TIDEGATE_TESTS_SIMULATION_EVENT_TIME_RECORDS_H_
#define TIDEGATE_TESTS_SIMULATION_EVENT_TIME_RECORDS_H_

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "ingest/loop/fake_kafka.h"
#include "tests/simulation/event_time_world.h"

namespace tidegate::simulation {

// How a run's events behave.
struct EventTraits {
  // No event is further behind the newest than the least bound, and none is
  // sent back: nothing may be late.
  bool orderly = false;
  // Event times are so far behind the clock; they move on at its rate.
  int64_t behind_us = 0;
};

// Runs on one thread.
class RecordMaker {
 public:
  RecordMaker(const SimWorld* world, EventTraits traits,
              std::mt19937_64* random, FakeKafka* kafka);

  // Appends a random record to a partition of `source` at `now_us`.
  void Produce(int source, int64_t now_us);
  // Sends a random dead letter back, as `tidegate replay` does; false if there
  // is none.
  bool Replay();
  void AddPartition(int source);

  const RecordBook& records() const { return records_; }
  int partitions(int source) const { return partitions_[source]; }
  // Records in a partition.
  int64_t end(int source, int partition) const;
  // Partitions at and above this are left alone for now.
  void set_producible(int source, int partitions) {
    producible_[source] = partitions;
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  bool Duplicate(int source);
  Value RandomValue(ValueType type, int64_t event_now_us);
  int64_t RandomTime(const SimSource& source, int64_t now_us);
  void FillColumns(const SimSource& source, int64_t now_us, SimRecord* record);
  std::optional<std::string> Spoil(const SimSource& source,
                                   const std::string& json);
  void Append(SimRecord record, std::optional<std::string> key,
              std::optional<std::string> value,
              std::optional<std::string> replay_views);

  const SimWorld& world_;
  const EventTraits traits_;
  std::mt19937_64& random_;
  FakeKafka* const kafka_;
  int64_t least_bound_us_;
  std::vector<int> partitions_;  // by source
  std::vector<int> producible_;
  RecordBook records_;
  // As produced, to be sent back.
  std::map<Place,
           std::pair<std::optional<std::string>, std::optional<std::string>>>
      bytes_;
};

// The header of a replay, read without the product's parser.
std::map<std::string, std::vector<int64_t>> ReadReplayTarget(
    const std::string& text);

}  // namespace tidegate::simulation

#endif  // TIDEGATE_TESTS_SIMULATION_EVENT_TIME_RECORDS_H_
