// A writer's schema, as a schema registry has it, and the decoder made of it.
#ifndef TIDEGATE_INGEST_DECODE_WRITER_SCHEMA_H_
#define TIDEGATE_INGEST_DECODE_WRITER_SCHEMA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/decode/decoder.h"
#include "views/plan/plan.h"

namespace tidegate {

// What a schema may be, with all it refers to.
inline constexpr size_t kMaxSchemaBytes = 4u << 20;
inline constexpr size_t kMaxSchemaReferences = 256;

struct WriterSchema {
  enum class Type { kProtobuf, kAvro, kJson };
  // What `text` imports (Protobuf: the path) or names (Avro: the full name).
  struct Reference {
    std::string name;
    std::string text;
  };
  int32_t id = 0;
  Type type = Type::kProtobuf;
  std::string text;
  // Transitively, each name once and before its users.
  std::vector<Reference> references;
};

// A decoder of records written with `schema` (their bytes after the framing)
// into the columns of `source`, matched by name; a column that the schema lacks
// is NULL, so that writers may add and drop fields. `message_indexes` is the
// Protobuf framing's path to the message type, empty for other types.
// InvalidArgument if the schema does not parse, or one of the `used` columns
// has a field that cannot be read as its type: names the column, what the
// schema has there, and the schema's id. May compile for milliseconds: not for
// the fold thread.
absl::StatusOr<std::unique_ptr<Decoder>> MakeWriterDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const WriterSchema& schema, const std::vector<int>& message_indexes);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_WRITER_SCHEMA_H_
