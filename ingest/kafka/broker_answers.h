// Which partitions' brokers answer, from librdkafka's statistics. Pure.
//
// A partition's answers come from the broker it is fetched from. What counts is
// that this broker has been heard from lately, on a connection over which at
// least one fetch of the partition has been asked and answered: so what the
// broker had before is in the partition's queue. Silence is never an answer,
// and neither are the statistics of a connection to a group's coordinator.
#ifndef TIDEGATE_INGEST_KAFKA_BROKER_ANSWERS_H_
#define TIDEGATE_INGEST_KAFKA_BROKER_ANSWERS_H_

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace tidegate {

// Thread-compatible. Times are in microseconds of the statistics' own clock,
// "ts": CLOCK_MONOTONIC.
class BrokerAnswers {
 public:
  // `topics` by the reader's numbers. What a broker said counts for
  // `bound_us`.
  BrokerAnswers(const std::vector<std::string>& topics, int64_t bound_us);
  ~BrokerAnswers();

  // Takes what librdkafka hands to its statistics callback. InvalidArgument if
  // it is not understood; what was known then holds for as long as it would
  // have.
  absl::Status Update(absl::string_view statistics);

  // False too for a partition that no statistics named.
  bool Answering(int topic, PartitionId partition, int64_t now_us) const;

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

  struct Broker {
    bool up = false;
    int64_t connects = 0;  // how often it has connected
    int64_t fetches = 0;   // asked, ever; one is under way at a time
    int64_t heard_us = kNever;
  };
  struct Partition {
    // The connection it was fetched over at the last look, and the broker's
    // fetches when that was first so; -1: none.
    int64_t broker = -1;
    int64_t connects = 0;
    int64_t fetches = 0;
    int64_t answering_until_us = kNever;
  };
  struct Look;  // one partition in the statistics
  class Parser;

  void Take(const Look& look);

  const std::map<std::string, int, std::less<>> topics_;
  const int64_t bound_us_;
  std::map<int64_t, Broker> brokers_;               // by node id
  std::vector<std::vector<Partition>> partitions_;  // by topic, then id
  std::unique_ptr<Parser> parser_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_BROKER_ANSWERS_H_
