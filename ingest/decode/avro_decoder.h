// Avro values to rows: a flat program made once from the schema that the writer
// had, which reads the fields that columns take and passes over the others.
#ifndef TIDEGATE_INGEST_DECODE_AVRO_DECODER_H_
#define TIDEGATE_INGEST_DECODE_AVRO_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/decode/decoder.h"
#include "ingest/decode/writer_schema.h"
#include "views/plan/plan.h"

namespace tidegate {

// A column is the record's field of the same name:
//   BOOLEAN           boolean
//   INT               int, an enum's position
//   BIGINT            int, long, an enum's position
//   DOUBLE PRECISION  float, double
//   VARCHAR           string, an enum's symbol
//   TIMESTAMPTZ       long: timestamp-millis, -micros or -nanos, which are cut
//                     to microseconds; without a logical type as milliseconds
//                     since 1970. int: date, its midnight in UTC
// or a union, all of whose branches but null fit. Logical types do not stop INT
// and BIGINT from taking the number as it is. bytes, fixed (so decimal too),
// arrays, maps and records are refused by name.
//
// The record must end with its last field. A value is read with the schema it
// was written with, so defaults and aliases mean nothing here.

// Of bare records: the schema is in the file of the source's encoding of kAvro,
// which must be there. Every column is resolved, those of INCLUDE aside; the
// used ones are read.
absl::StatusOr<std::unique_ptr<Decoder>> MakeAvroDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const std::string& base_dir);

// As MakeWriterDecoder, for Type::kAvro.
absl::StatusOr<std::unique_ptr<Decoder>> MakeAvroWriterDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const WriterSchema& schema);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_AVRO_DECODER_H_
