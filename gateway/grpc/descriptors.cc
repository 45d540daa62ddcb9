#include "gateway/grpc/descriptors.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace tidegate {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;

FieldDescriptorProto::Type FieldType(Type type) {
  switch (type) {
    case Type::kBoolean:
      return FieldDescriptorProto::TYPE_BOOL;
    case Type::kInt:
      return FieldDescriptorProto::TYPE_INT32;
    case Type::kBigint:
      return FieldDescriptorProto::TYPE_INT64;
    case Type::kDouble:
      return FieldDescriptorProto::TYPE_DOUBLE;
    case Type::kVarchar:
      return FieldDescriptorProto::TYPE_STRING;
    case Type::kTimestamptz:
      return FieldDescriptorProto::TYPE_MESSAGE;
  }
  return FieldDescriptorProto::TYPE_BYTES;
}

// A quoted SQL name may hold what Protobuf does not allow.
std::string FieldName(absl::string_view column) {
  std::string name(column);
  for (char& c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  if (name.empty() ||
      absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) {
    name.insert(0, "c");
  }
  return name;
}

// proto3 `optional`: a field in a oneof of its own.
void AddField(const RowSchema::Field& column, DescriptorProto* message) {
  FieldDescriptorProto* field = message->add_field();
  field->set_name(FieldName(column.name));
  field->set_number(static_cast<int32_t>(column.number));
  field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
  field->set_type(FieldType(column.type));
  if (column.type == Type::kTimestamptz) {
    field->set_type_name(".google.protobuf.Timestamp");
  }
  field->set_proto3_optional(true);
  field->set_oneof_index(message->oneof_decl_size());
  message->add_oneof_decl()->set_name(absl::StrCat("_", field->name()));
}

}  // namespace

std::string CamelCase(absl::string_view name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      upper = true;
      continue;
    }
    out.push_back(upper ? absl::ascii_toupper(static_cast<unsigned char>(c))
                        : c);
    upper = false;
  }
  return out;
}

void DescribeRows(absl::string_view view, const RowSchema& schema,
                  google::protobuf::FileDescriptorSet* set) {
  google::protobuf::Timestamp::descriptor()->file()->CopyTo(set->add_file());
  google::protobuf::FileDescriptorProto* file = set->add_file();
  const std::string name = CamelCase(view);
  file->set_name(absl::StrCat("tidegate/views/", FieldName(view), ".proto"));
  file->set_package("tidegate.views");
  file->set_syntax("proto3");
  file->add_dependency("google/protobuf/timestamp.proto");
  DescriptorProto* row = file->add_message_type();
  row->set_name(absl::StrCat(name, "Row"));
  for (const RowSchema::Field& field : schema.fields) AddField(field, row);
  DescriptorProto* key = file->add_message_type();
  key->set_name(absl::StrCat(name, "Key"));
  for (const int column : schema.key_columns) {
    AddField(schema.fields[column], key);
  }
}

std::string KeyShape(absl::string_view view, const RowSchema& schema) {
  std::string out = absl::StrCat(CamelCase(view), "Key{");
  const char* separator = "";
  for (const int column : schema.key_columns) {
    const RowSchema::Field& field = schema.fields[column];
    absl::StrAppend(&out, separator, field.name, " ", TypeName(field.type),
                    " = ", field.number);
    separator = ", ";
  }
  return out + "}";
}

}  // namespace tidegate
