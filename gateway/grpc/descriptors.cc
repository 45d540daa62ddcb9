#include "gateway/grpc/descriptors.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.pb.h"
#include "views/sql/literals.h"

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

void AddField(const RowSchema::Field& column, DescriptorProto* message) {
  FieldDescriptorProto* field = message->add_field();
  field->set_name(FieldName(column.name));
  field->set_number(static_cast<int32_t>(column.number));
  field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
  field->set_type(FieldType(column.type));
  if (column.type == Type::kTimestamptz) {
    field->set_type_name(".google.protobuf.Timestamp");
  }
}

// proto3 `optional`: each field in a oneof of its own, named as protoc does.
void MakeOptional(DescriptorProto* message) {
  absl::flat_hash_set<std::string> taken;
  for (const FieldDescriptorProto& field : message->field()) {
    taken.insert(field.name());
  }
  for (FieldDescriptorProto& field : *message->mutable_field()) {
    std::string name =
        absl::StrCat(field.name()[0] == '_' ? "" : "_", field.name());
    while (!taken.insert(name).second) name.insert(0, "X");
    field.set_proto3_optional(true);
    field.set_oneof_index(message->oneof_decl_size());
    message->add_oneof_decl()->set_name(name);
  }
}

void ReserveRetired(const CatalogView& view, DescriptorProto* message) {
  absl::flat_hash_set<std::string> taken;
  for (const RowSchema::Field& field : view.schema.fields) {
    taken.insert(FieldName(field.name));
  }
  std::vector<int> numbers;
  for (const RowSchema::Field& field : view.retired) {
    numbers.push_back(static_cast<int>(field.number));
    const std::string name = FieldName(field.name);
    if (taken.insert(name).second) message->add_reserved_name(name);
  }
  std::sort(numbers.begin(), numbers.end());
  for (const int number : numbers) {
    auto* const ranges = message->mutable_reserved_range();
    if (ranges->empty() || ranges->rbegin()->end() != number) {
      ranges->Add()->set_start(number);
    }
    ranges->rbegin()->set_end(number + 1);
  }
}

}  // namespace

void AddRowAndKey(const CatalogView& view,
                  google::protobuf::FileDescriptorProto* file) {
  const std::string name = sql::ToCamelCase(view.name);
  DescriptorProto* const row = file->add_message_type();
  row->set_name(absl::StrCat(name, "Row"));
  for (const RowSchema::Field& field : view.schema.fields) AddField(field, row);
  DescriptorProto* const key = file->add_message_type();
  key->set_name(absl::StrCat(name, "Key"));
  for (const int column : view.schema.key_columns) {
    AddField(view.schema.fields[column], key);
  }
  for (DescriptorProto* message : {row, key}) {
    MakeOptional(message);
    ReserveRetired(view, message);
  }
}

std::string KeyShape(absl::string_view view, const RowSchema& schema) {
  std::string out = absl::StrCat(sql::ToCamelCase(view), "Key{");
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
