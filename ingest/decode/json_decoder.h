// JSON objects to rows, through simdjson's on-demand parser.
#ifndef TIDEGATE_INGEST_DECODE_JSON_DECODER_H_
#define TIDEGATE_INGEST_DECODE_JSON_DECODER_H_

#include <memory>
#include <vector>

#include "ingest/decode/decoder.h"
#include "views/plan/plan.h"

namespace tidegate {

// A field feeds the column of exactly its name; the last of several wins.
//   BOOLEAN           true, false
//   INT, BIGINT       an integer in range; 1.0 and 1e3 too, up to 2^53
//   DOUBLE PRECISION  any number that is finite as a double
//   VARCHAR           a string
//   TIMESTAMPTZ       an RFC 3339 string, or an integer: milliseconds since
//                     1970; years 1 to 9999
// null and absent are NULL. Anything else is InvalidArgument, and so is a text
// that is not one whole JSON object in UTF-8. Values of fields that no used
// column needs are skipped by their brackets, at any depth and without
// recursion, and are not checked further.
std::unique_ptr<Decoder> MakeJsonDecoder(const std::vector<Column>& columns,
                                         const std::vector<bool>& used);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_JSON_DECODER_H_
