// One format's way through a broker, once.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_BROKER_ROUND_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_BROKER_ROUND_H_

#include <string>

#include "absl/status/statusor.h"
#include "cmd/tidegate/formats/format_events.h"
#include "loadtest/bench/bench.h"

namespace tidegate {

// Of one client, from its creation to its last event.
struct BrokerCost {
  double cpu_us = 0;  // user + system of this process, an event
  double rate = 0;    // events/s
};

struct BrokerRound {
  double bytes = 0;  // sent to the broker, an event; by librdkafka's statistics
  BrokerCost produce;
  BrokerCost consume;
};

// Produces options.events events, those of `pool` again and again, into
// `topic`, which is empty and has options.partitions: encoded, framed, in LZ4,
// batched as BulkProducerSettings(); until all are acknowledged. Then reads
// them as `serve` does, until each was decoded: KafkaReader and EventReader,
// with the columns that the view of CompileFormatViews() uses. Internal if what
// was read is not what was produced.
absl::StatusOr<BrokerRound> RunBrokerRound(const BenchOptions& options,
                                           const FormatPool& pool,
                                           BenchFormat format,
                                           const std::string& topic);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_BROKER_ROUND_H_
