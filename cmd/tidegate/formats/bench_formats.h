// `tidegate bench formats`: what leaving JSON saves.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_BENCH_FORMATS_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_BENCH_FORMATS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "loadtest/bench/bench.h"

namespace tidegate {

// The same orders as JSON, Avro and Protobuf. Entries: formats.avro.MEASURE and
// formats.protobuf.MEASURE, each beside JSON.
//
// Without a broker, kMemoryMeasures: bytes a record, alone and as librdkafka
// sends them to a broker in the process (with keys and the batches' headers,
// uncompressed and in LZ4), and CPU in memory, in one thread, to encode, to
// decode into rows, and to fold these.
//
// With options.bootstrap_servers, kBrokerMeasures: bytes a record as sent to
// the broker, and CPU of the process and events/s from the event to the
// acknowledgement, and from the broker to the row (see broker_round.h).
absl::StatusOr<std::vector<BenchEntry>> BenchFormats(
    const BenchOptions& options);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_BENCH_FORMATS_H_
