// Protobuf messages to rows: a scan of the wire format with a table by field
// number, made once from the descriptor; no reflection per record.
#ifndef TIDEGATE_INGEST_DECODE_PROTOBUF_DECODER_H_
#define TIDEGATE_INGEST_DECODE_PROTOBUF_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/decode/decoder.h"
#include "views/plan/plan.h"

namespace tidegate {

class ProtobufSchema;

// A column is the message's field of the same name:
//   BOOLEAN           bool
//   INT               32-bit integers (unsigned ones in range), enum numbers
//   BIGINT            all integers (unsigned ones in range), enum numbers
//   DOUBLE PRECISION  float, double
//   VARCHAR           string, enum names (an unknown number as its digits)
//   TIMESTAMPTZ       google.protobuf.Timestamp; int64, sint64 and sfixed64 as
//                     milliseconds since 1970
// Repeated fields, groups, bytes and other messages are refused by name.
// Absent fields have their default if they have no presence or an explicit
// default, else are NULL; an absent `required` one is an error. As in every
// Protobuf parser the last of several values wins (Timestamps merge), a member
// of a oneof unsets the others, and a field that is unknown, or comes with a
// wire type that is not its own, is skipped. Every column is resolved, those of
// INCLUDE aside; the used ones are read. Requires an encoding of kProtobuf.
absl::StatusOr<std::unique_ptr<Decoder>> MakeProtobufDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const std::string& base_dir);

// The same of records that were written with a message type of their own:
// columns that it lacks are NULL, and only the used ones must fit.
absl::StatusOr<std::unique_ptr<Decoder>> MakeProtobufWriterDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    std::unique_ptr<ProtobufSchema> schema);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_PROTOBUF_DECODER_H_
