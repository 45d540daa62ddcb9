// The seam between those who decode framed records and a schema registry.
#ifndef TIDEGATE_INGEST_REGISTRY_WRITER_DECODERS_H_
#define TIDEGATE_INGEST_REGISTRY_WRITER_DECODERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/decode/decoder.h"
#include "ingest/decode/writer_schema.h"

namespace tidegate {

// As MakeWriterDecoder() of one source: InvalidArgument if the schema does not
// fit it. Runs on a thread of the registry's, one call at a time.
using WriterDecoderMaker =
    std::function<absl::StatusOr<std::unique_ptr<Decoder>>(
        const WriterSchema& schema, const std::vector<int>& message_indexes)>;

// The decoders of one source's records, made as their schemas come. Runs on the
// fold thread; its destructor waits for a maker that is at work.
class WriterDecoders {
 public:
  virtual ~WriterDecoders() = default;
  // Never waits. Hands over the decoder of records of a schema and message; the
  // caller keeps it.
  //   Unavailable: it is not there yet. `wake` is called once it, or a failure,
  //     is; then Take() is to be called again.
  //   NotFound: the registry has no such schema. Another time it may.
  //   FailedPrecondition: the schema does not fit the source, and never will.
  virtual absl::StatusOr<std::unique_ptr<Decoder>> Take(
      int32_t schema_id, const std::vector<int>& message_indexes) = 0;
};

// Thread-safe. Outlives what it has opened.
class SchemaRegistries {
 public:
  virtual ~SchemaRegistries() = default;
  // `url` as the views file has it. `wake` may be called on any thread, and not
  // after the WriterDecoders has gone. InvalidArgument if the URL cannot be
  // used.
  virtual absl::StatusOr<std::unique_ptr<WriterDecoders>> Open(
      const std::string& url, WriterDecoderMaker make,
      std::function<void()> wake) = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_REGISTRY_WRITER_DECODERS_H_
