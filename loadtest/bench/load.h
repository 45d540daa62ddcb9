// Fills Kafka for the benchmarks.
#ifndef TIDEGATE_LOADTEST_BENCH_LOAD_H_
#define TIDEGATE_LOADTEST_BENCH_LOAD_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "loadtest/bench/bare_handle.h"

namespace tidegate {

// A topic of its own; AlreadyExists if there is one.
absl::Status CreateBenchTopic(const std::string& bootstrap_servers,
                              const std::string& topic, int partitions);

// Of a producer that is in no hurry: batches fill for 20 ms, up to librdkafka's
// default of 1 MB or 10,000 records, and only the leader acknowledges them.
BareSettings BulkProducerSettings(const std::string& bootstrap_servers);

// Hands one record over, waiting while librdkafka's queue is full; an empty key
// is sent as such.
absl::Status ProduceRecord(rd_kafka_s* handle, const std::string& topic,
                           int partition, const std::string& key,
                           const std::string& value);
// Returns when everything handed over is acknowledged.
absl::Status FlushRecords(rd_kafka_s* handle);

struct OrderLoad {
  std::string bootstrap_servers;
  std::string topic;
  int partitions = 4;
  int64_t first = 0;  // the first order's number
  int64_t events = 0;
  int64_t keys = 1;
  // Events a second, in bursts this far apart; 0: as fast as it goes.
  int rate = 0;
  int burst_ms = 1;
};

// Produces orders i = first … first + events-1 for drivers i mod keys, spread
// over partitions by driver: so the n-th event (from 1) of driver d is order
// d + (n - 1) * keys, if no order before `first` is left out. `before` (may be
// null) is called with i and its event time, which is the clock's, right before
// produce(). Returns when everything is acknowledged.
absl::Status ProduceOrders(
    const OrderLoad& load,
    const std::function<void(int64_t i, int64_t event_us)>& before);

// The partition of a driver's orders.
inline int PartitionOfDriver(int64_t driver, int partitions) {
  return static_cast<int>(driver % partitions);
}

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_LOAD_H_
