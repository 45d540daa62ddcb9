// From a record's bytes to a row of datums: compiled once per source and set of
// used columns, nothing looked up by reflection per record.
#ifndef TIDEGATE_INGEST_DECODE_DECODER_H_
#define TIDEGATE_INGEST_DECODE_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "views/plan/plan.h"

namespace tidegate {

// Runs on one thread (it owns scratch memory).
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Fills `row` (one datum per source column; unused and absent ones NULL).
  // Text borrows from `value` or from the decoder until the next call.
  // InvalidArgument names the column and what was found.
  virtual absl::Status Decode(absl::string_view value, MutableRow row) = 0;
};

// Of all the encodings that `source` has, told apart per record. `used` has one
// flag per column; those of INCLUDE are left NULL. `base_dir` is where relative
// paths of .proto and .avsc files start (the views file's folder). `framed`
// decodes records that begin with byte 0; needed if there is a schema registry,
// else null. InvalidArgument if a schema file does not compile, or a column has
// no field of a fitting type, naming the column, the field and the nearest
// name.
absl::StatusOr<std::unique_ptr<Decoder>> MakeDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const std::string& base_dir, std::unique_ptr<Decoder> framed = nullptr);

// Reads a FORMAT UPSERT table's Kafka key into the primary key columns.
absl::StatusOr<std::unique_ptr<Decoder>> MakeKeyDecoder(
    const SourcePlan& table);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_DECODER_H_
