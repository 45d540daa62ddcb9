// What records take on the wire.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_WIRE_BYTES_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_WIRE_BYTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tidegate {

// Bytes that librdkafka sends to a broker per record, for `values` with their
// keys, in batches of its default size and with `codec` as compression.codec:
// record batches and requests included. The broker is librdkafka's own, in the
// process.
absl::StatusOr<double> WireBytesPerRecord(
    const std::vector<std::string>& keys,
    const std::vector<std::string>& values, const std::string& codec);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_WIRE_BYTES_H_
