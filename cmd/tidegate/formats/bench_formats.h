// `tidegate bench formats`: what leaving JSON saves.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_BENCH_FORMATS_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_BENCH_FORMATS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "loadtest/bench/bench.h"

namespace tidegate {

// The same orders as JSON, Avro and Protobuf: bytes a record, alone and as
// librdkafka sends them to a broker in the process (with keys and the batches'
// headers, uncompressed and in LZ4), and CPU in memory, in one thread, to
// encode, to decode into rows, and to fold these. Needs no broker. Entries:
// formats.avro.MEASURE and formats.protobuf.MEASURE beside JSON, for bytes,
// wire.none, wire.lz4 (bytes), encode, decode, decode+fold (microseconds).
absl::StatusOr<std::vector<BenchEntry>> BenchFormats(
    const BenchOptions& options);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_BENCH_FORMATS_H_
