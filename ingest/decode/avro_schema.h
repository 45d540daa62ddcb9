// An Avro schema: its JSON parsed, its names resolved.
//
// Not libavro, which drops logical types, takes no schemas that this one refers
// to, refuses records without fields, and never frees one that refers to
// itself. It is what the tests encode with.
#ifndef TIDEGATE_INGEST_DECODE_AVRO_SCHEMA_H_
#define TIDEGATE_INGEST_DECODE_AVRO_SCHEMA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace tidegate {

inline constexpr int kMaxAvroTypes = 4096;
// How deep a schema's JSON may nest.
inline constexpr int kMaxAvroSchemaDepth = 100;
inline constexpr int64_t kMaxAvroFixedBytes = int64_t{1} << 31;

enum class AvroKind : uint8_t {
  kNull,
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kBytes,
  kString,
  kFixed,
  kEnum,
  kArray,
  kMap,
  kUnion,
  kRecord,
};

struct AvroType {
  AvroKind kind = AvroKind::kNull;
  std::string name;     // of a record, enum or fixed, with its namespace
  std::string logical;  // logicalType; empty if there is none
  // The types of a record's fields, a union's branches, an array's items (one)
  // or a map's values (one).
  std::vector<int> parts;
  std::vector<std::string> names;  // of a record's fields, an enum's symbols
  int64_t size = 0;                // of a fixed
};

// Immutable once parsed. Types refer to each other by number; a record may
// contain itself.
class AvroSchema {
 public:
  // InvalidArgument says what is wrong and where. `references` are schemas that
  // define names which `text` uses, each before its users.
  static absl::StatusOr<AvroSchema> Parse(
      absl::string_view text, absl::Span<const absl::string_view> references);

  int root() const { return root_; }
  const std::vector<AvroType>& types() const { return types_; }
  // "record shop.Order", "union [null, long (timestamp-millis)]", for messages.
  std::string Describe(int type) const;

 private:
  friend class AvroSchemaParser;
  std::vector<AvroType> types_;
  int root_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_AVRO_SCHEMA_H_
