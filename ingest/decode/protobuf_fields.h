// Which Protobuf fields a column can hold, and how.
#ifndef TIDEGATE_INGEST_DECODE_PROTOBUF_FIELDS_H_
#define TIDEGATE_INGEST_DECODE_PROTOBUF_FIELDS_H_

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <string>

#include "ingest/decode/wire_scanner.h"
#include "views/plan/plan.h"

namespace tidegate {

// How a field's bits become a datum.
enum class Conversion : uint8_t {
  kUnsetOneof,  // read by no column; only unsets the others of its oneof
  kBool,
  kInt32,  // varint or fixed, two's complement
  kUint32,
  kSint32,
  kInt64,
  kUint64,
  kSint64,
  kFloat,
  kDouble,
  kText,
  kEnumNumber,
  kEnumName,
  kTimestamp,
};

Wire WireOf(const google::protobuf::FieldDescriptor& field);

// What a reader of the .proto calls the field's type.
std::string FieldTypeName(const google::protobuf::FieldDescriptor& field);

// False if a column of `type` cannot hold the field, which is not repeated.
bool ConversionFor(const google::protobuf::FieldDescriptor& field, Type type,
                   Conversion* conversion);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_PROTOBUF_FIELDS_H_
