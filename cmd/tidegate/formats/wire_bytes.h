// What records take on the wire.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_WIRE_BYTES_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_WIRE_BYTES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/decode/decoder.h"
#include "loadtest/bench/bare_handle.h"

namespace tidegate {

// A producer that knows from librdkafka's statistics what it has sent to the
// brokers: requests, record batches and their headers. Thread-compatible.
class CountingProducer {
 public:
  static absl::StatusOr<std::unique_ptr<CountingProducer>> Create(
      BareSettings settings);
  CountingProducer(const CountingProducer&) = delete;
  CountingProducer& operator=(const CountingProducer&) = delete;

  rd_kafka_s* handle() const { return handle_.get(); }
  // Waits until the statistics have all `records`, which must be flushed; what
  // was sent up to then. DeadlineExceeded if they never do: some have failed.
  absl::StatusOr<int64_t> BytesSent(int64_t records);

 private:
  CountingProducer();
  static int OnStatistics(rd_kafka_s* handle, char* json, size_t size,
                          void* self);

  const std::unique_ptr<Decoder> statistics_;
  int64_t records_ = 0;
  int64_t bytes_ = 0;
  BareHandle handle_;  // dies first: its callback uses the rest
};

// Bytes that librdkafka sends to a broker per record, for `values` with their
// keys, in batches of its default size and with `codec` as compression.codec:
// record batches and requests included. The broker is librdkafka's own, in the
// process.
absl::StatusOr<double> WireBytesPerRecord(
    const std::vector<std::string>& keys,
    const std::vector<std::string>& values, const std::string& codec);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_WIRE_BYTES_H_
