#include "ingest/decode/protobuf_fields.h"

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

using Field = google::protobuf::FieldDescriptor;

bool IsTimestamp(const Field& field) {
  return field.type() == Field::TYPE_MESSAGE &&
         field.message_type()->full_name() == "google.protobuf.Timestamp";
}

}  // namespace

Wire WireOf(const Field& field) {
  switch (field.type()) {
    case Field::TYPE_DOUBLE:
    case Field::TYPE_FIXED64:
    case Field::TYPE_SFIXED64:
      return Wire::kFixed64;
    case Field::TYPE_FLOAT:
    case Field::TYPE_FIXED32:
    case Field::TYPE_SFIXED32:
      return Wire::kFixed32;
    case Field::TYPE_STRING:
    case Field::TYPE_BYTES:
    case Field::TYPE_MESSAGE:
      return Wire::kBytes;
    case Field::TYPE_GROUP:
      return Wire::kStartGroup;
    default:
      return Wire::kVarint;
  }
}

std::string FieldTypeName(const Field& field) {
  if (field.is_map()) return "map";
  std::string name = field.type_name();
  if (field.type() == Field::TYPE_MESSAGE) {
    name = absl::StrCat("message ", field.message_type()->full_name());
  } else if (field.type() == Field::TYPE_ENUM) {
    name = absl::StrCat("enum ", field.enum_type()->full_name());
  }
  return field.is_repeated() ? absl::StrCat("repeated ", name) : name;
}

bool ConversionFor(const Field& field, Type type, Conversion* conversion) {
  const bool whole = type == Type::kInt || type == Type::kBigint;
  const bool wide = type == Type::kBigint;
  const bool millis = type == Type::kTimestamptz;
  switch (field.type()) {
    case Field::TYPE_BOOL:
      *conversion = Conversion::kBool;
      return type == Type::kBoolean;
    case Field::TYPE_INT32:
    case Field::TYPE_SFIXED32:
      *conversion = Conversion::kInt32;
      return whole;
    case Field::TYPE_UINT32:
    case Field::TYPE_FIXED32:
      *conversion = Conversion::kUint32;
      return whole;
    case Field::TYPE_SINT32:
      *conversion = Conversion::kSint32;
      return whole;
    case Field::TYPE_INT64:
    case Field::TYPE_SFIXED64:
      *conversion = Conversion::kInt64;
      return wide || millis;
    case Field::TYPE_UINT64:
    case Field::TYPE_FIXED64:
      *conversion = Conversion::kUint64;
      return wide;
    case Field::TYPE_SINT64:
      *conversion = Conversion::kSint64;
      return wide || millis;
    case Field::TYPE_FLOAT:
      *conversion = Conversion::kFloat;
      return type == Type::kDouble;
    case Field::TYPE_DOUBLE:
      *conversion = Conversion::kDouble;
      return type == Type::kDouble;
    case Field::TYPE_STRING:
      *conversion = Conversion::kText;
      return type == Type::kVarchar;
    case Field::TYPE_ENUM:
      *conversion = whole ? Conversion::kEnumNumber : Conversion::kEnumName;
      return whole || type == Type::kVarchar;
    default:
      *conversion = Conversion::kTimestamp;
      return IsTimestamp(field) && millis;
  }
}

}  // namespace tidegate
