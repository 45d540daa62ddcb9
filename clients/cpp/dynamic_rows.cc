#include "clients/cpp/dynamic_rows.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "base/timestamp.h"
#include "clients/cpp/view_client.h"

namespace tidegate::client {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Fields = std::vector<const FieldDescriptor*>;

// "driver_totals" and "DriverTotals" alike.
std::string Squeeze(absl::string_view name) {
  return absl::AsciiStrToLower(absl::StrReplaceAll(name, {{"_", ""}}));
}

int64_t TimestampMicros(const Message& time) {
  const Descriptor* type = time.GetDescriptor();
  const Reflection* reflection = time.GetReflection();
  const int64_t seconds =
      reflection->GetInt64(time, type->FindFieldByNumber(1));
  const int32_t nanos = reflection->GetInt32(time, type->FindFieldByNumber(2));
  return seconds * 1'000'000 + nanos / 1000;
}

void SetTimestampMicros(int64_t micros, Message* time) {
  const Descriptor* type = time->GetDescriptor();
  int64_t seconds = micros / 1'000'000;
  int64_t rest = micros % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  const Reflection* reflection = time->GetReflection();
  reflection->SetInt64(time, type->FindFieldByNumber(1), seconds);
  reflection->SetInt32(time, type->FindFieldByNumber(2),
                       static_cast<int32_t>(rest * 1000));
}

void WriteField(const Message& message, const FieldDescriptor* field,
                JsonWriter* json) {
  const Reflection* reflection = message.GetReflection();
  if (!reflection->HasField(message, field)) {
    json->Null();
    return;
  }
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      json->Bool(reflection->GetBool(message, field));
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      json->Int(reflection->GetInt32(message, field));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      json->Int(reflection->GetInt64(message, field));
      return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      json->Double(reflection->GetDouble(message, field));
      return;
    case FieldDescriptor::CPPTYPE_STRING:
      json->String(reflection->GetString(message, field));
      return;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      json->String(FormatTimestamp(
          TimestampMicros(reflection->GetMessage(message, field))));
      return;
    default:  // Create() has refused it
      json->Null();
  }
}

std::string Cell(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  if (!reflection->HasField(message, field)) return "NULL";
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return reflection->GetString(message, field);
  }
  std::string text;
  JsonWriter json(&text);
  WriteField(message, field, &json);
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return text.substr(1, text.size() - 2);  // without the quotes
  }
  return text;
}

absl::Status CheckTypes(const Descriptor* type) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    bool known = !field->is_repeated();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
      case FieldDescriptor::CPPTYPE_INT32:
      case FieldDescriptor::CPPTYPE_INT64:
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_STRING:
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        known &=
            field->message_type()->full_name() == "google.protobuf.Timestamp";
        break;
      default:
        known = false;
    }
    if (!known) {
      return absl::UnimplementedError(absl::StrCat("field ", field->full_name(),
                                                   " has a type that this "
                                                   "client does not know: ",
                                                   field->type_name()));
    }
  }
  return absl::OkStatus();
}

// Of a type that CheckTypes knows.
KeyColumn::Type KeyTypeOf(FieldDescriptor::CppType type) {
  switch (type) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return KeyColumn::Type::kBool;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return KeyColumn::Type::kDouble;
    case FieldDescriptor::CPPTYPE_STRING:
      return KeyColumn::Type::kText;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return KeyColumn::Type::kTimestamp;
    default:
      return KeyColumn::Type::kInt;
  }
}

class ProtobufRows : public DynamicRows {
 public:
  absl::Status Init(absl::string_view view, std::vector<std::string> keys,
                    absl::string_view descriptors);

  const std::vector<std::string>& columns() const override { return columns_; }
  const std::vector<std::string>& key_columns() const override {
    return key_columns_;
  }
  const KeyOrder& key_order() const override { return key_order_; }
  absl::StatusOr<std::string> RowJson(absl::string_view row) const override {
    return Json(*row_type_, row_fields_, row);
  }
  absl::StatusOr<std::string> KeyJson(absl::string_view key) const override {
    return Json(*key_type_, key_fields_, key);
  }
  absl::StatusOr<std::string> KeyJsonOfRow(
      absl::string_view row) const override {
    return Json(*row_type_, row_key_fields_, row);
  }
  absl::StatusOr<std::vector<std::string>> RowCells(
      absl::string_view row) const override {
    return Cells(*row_type_, row_fields_, row);
  }
  absl::StatusOr<std::vector<std::string>> KeyCells(
      absl::string_view key) const override {
    return Cells(*key_type_, key_fields_, key);
  }
  absl::StatusOr<std::vector<std::string>> KeyCellsOfRow(
      absl::string_view row) const override {
    return Cells(*row_type_, row_key_fields_, row);
  }
  absl::StatusOr<int64_t> RowInt(absl::string_view row,
                                 absl::string_view column) const override;
  absl::StatusOr<std::string> ParseKey(absl::string_view text) const override;

 private:
  absl::Status FindTypes(absl::string_view view,
                         const google::protobuf::FileDescriptorSet& files);
  absl::StatusOr<std::unique_ptr<Message>> Parse(const Message& type,
                                                 absl::string_view bytes) const;
  absl::StatusOr<std::string> Json(const Message& type, const Fields& fields,
                                   absl::string_view bytes) const;
  absl::StatusOr<std::vector<std::string>> Cells(const Message& type,
                                                 const Fields& fields,
                                                 absl::string_view bytes) const;
  absl::Status SetKeyField(absl::string_view text, const FieldDescriptor* field,
                           Message* key) const;
  absl::Status SetKeyPairs(absl::string_view text, Message* key) const;
  absl::Status BadKey(absl::string_view what) const;

  google::protobuf::DescriptorPool pool_;
  std::unique_ptr<google::protobuf::DynamicMessageFactory> factory_;
  const Message* row_type_ = nullptr;  // prototypes, owned by factory_
  const Message* key_type_ = nullptr;
  Fields row_fields_;
  Fields row_key_fields_;  // the key columns of a row, in key order
  Fields key_fields_;      // in key order
  std::vector<std::string> columns_;
  std::vector<std::string> key_columns_;
  KeyOrder key_order_{{}};
};

absl::Status ProtobufRows::FindTypes(
    absl::string_view view, const google::protobuf::FileDescriptorSet& files) {
  factory_ = std::make_unique<google::protobuf::DynamicMessageFactory>(&pool_);
  for (const auto& file : files.file()) {
    const auto* built = pool_.BuildFile(file);
    if (built == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("descriptors do not fit together: ", file.name()));
    }
    for (int i = 0; i < built->message_type_count(); ++i) {
      const Descriptor* type = built->message_type(i);
      const std::string name = Squeeze(type->name());
      if (name == Squeeze(view) + "row") {
        row_type_ = factory_->GetPrototype(type);
      } else if (name == Squeeze(view) + "key") {
        key_type_ = factory_->GetPrototype(type);
      }
    }
  }
  if (row_type_ == nullptr || key_type_ == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("no row and key message for view \"", view, "\""));
  }
  RETURN_IF_ERROR(CheckTypes(row_type_->GetDescriptor()));
  return CheckTypes(key_type_->GetDescriptor());
}

absl::Status ProtobufRows::Init(absl::string_view view,
                                std::vector<std::string> keys,
                                absl::string_view descriptors) {
  google::protobuf::FileDescriptorSet files;
  if (!files.ParseFromArray(descriptors.data(),
                            static_cast<int>(descriptors.size()))) {
    return absl::InvalidArgumentError("descriptors are malformed");
  }
  RETURN_IF_ERROR(FindTypes(view, files));
  const Descriptor* row = row_type_->GetDescriptor();
  for (int i = 0; i < row->field_count(); ++i) {
    row_fields_.push_back(row->field(i));
    columns_.push_back(row->field(i)->name());
  }
  key_columns_ = std::move(keys);
  std::vector<KeyColumn> order;
  for (const std::string& column : key_columns_) {
    const FieldDescriptor* in_row = row->FindFieldByName(column);
    const FieldDescriptor* in_key =
        key_type_->GetDescriptor()->FindFieldByName(column);
    if (in_row == nullptr || in_key == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("key column without a field: ", column));
    }
    if (in_row->number() != in_key->number() ||
        in_row->cpp_type() != in_key->cpp_type()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "key column is not the same field in row and key: ", column));
    }
    order.push_back({static_cast<uint32_t>(in_key->number()),
                     KeyTypeOf(in_key->cpp_type())});
    row_key_fields_.push_back(in_row);
    key_fields_.push_back(in_key);
  }
  key_order_ = KeyOrder(std::move(order));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Message>> ProtobufRows::Parse(
    const Message& type, absl::string_view bytes) const {
  std::unique_ptr<Message> message(type.New());
  if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError(absl::StrCat("malformed ",
                                            type.GetDescriptor()->name(),
                                            " of ", bytes.size(), " bytes"));
  }
  return message;
}

absl::StatusOr<std::string> ProtobufRows::Json(const Message& type,
                                               const Fields& fields,
                                               absl::string_view bytes) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<Message> message, Parse(type, bytes));
  std::string text;
  JsonWriter json(&text);
  json.BeginObject();
  for (const FieldDescriptor* field : fields) {
    json.Key(field->name());
    WriteField(*message, field, &json);
  }
  json.EndObject();
  return text;
}

absl::StatusOr<std::vector<std::string>> ProtobufRows::Cells(
    const Message& type, const Fields& fields, absl::string_view bytes) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<Message> message, Parse(type, bytes));
  std::vector<std::string> cells;
  for (const FieldDescriptor* field : fields) {
    cells.push_back(Cell(*message, field));
  }
  return cells;
}

absl::StatusOr<int64_t> ProtobufRows::RowInt(absl::string_view row,
                                             absl::string_view column) const {
  const FieldDescriptor* field =
      row_type_->GetDescriptor()->FindFieldByName(std::string(column));
  if (field == nullptr || field->cpp_type() != FieldDescriptor::CPPTYPE_INT64) {
    return absl::NotFoundError(
        absl::StrCat("no BIGINT column \"", column, "\""));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Message> message,
                   Parse(*row_type_, row));
  return message->GetReflection()->GetInt64(*message, field);
}

absl::Status ProtobufRows::BadKey(absl::string_view what) const {
  std::vector<std::string> pairs;
  for (const FieldDescriptor* field : key_fields_) {
    const bool timestamp =
        field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    const std::string type = timestamp ? "timestamp" : field->type_name();
    pairs.push_back(key_fields_.size() == 1
                        ? absl::StrCat("<", type, ">")
                        : absl::StrCat(field->name(), "=<", type, ">"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      what, "; a key is written ", absl::StrJoin(pairs, ","),
      " or as a JSON object of ", absl::StrJoin(key_columns_, ", ")));
}

absl::Status ProtobufRows::SetKeyField(absl::string_view text,
                                       const FieldDescriptor* field,
                                       Message* key) const {
  const Reflection* reflection = key->GetReflection();
  bool good = true;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool value = false;
      good = absl::SimpleAtob(text, &value);
      if (good) reflection->SetBool(key, field, value);
      break;
    }
    case FieldDescriptor::CPPTYPE_INT32: {
      int32_t value = 0;
      good = absl::SimpleAtoi(text, &value);
      if (good) reflection->SetInt32(key, field, value);
      break;
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      int64_t value = 0;
      good = absl::SimpleAtoi(text, &value);
      if (good) reflection->SetInt64(key, field, value);
      break;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      good = absl::SimpleAtod(text, &value);
      if (good) reflection->SetDouble(key, field, value);
      break;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(key, field, std::string(text));
      break;
    default: {
      const absl::StatusOr<int64_t> micros = ParseTimestamp(text);
      good = micros.ok();
      if (good) {
        SetTimestampMicros(*micros,
                           reflection->MutableMessage(key, field, nullptr));
      }
    }
  }
  if (good) return absl::OkStatus();
  return BadKey(
      absl::StrCat("key column ", field->name(), " cannot be \"", text, "\""));
}

absl::Status ProtobufRows::SetKeyPairs(absl::string_view text,
                                       Message* key) const {
  for (absl::string_view pair : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(pair, absl::MaxSplits('=', 1));
    const std::string name(absl::StripAsciiWhitespace(parts.first));
    const FieldDescriptor* field = key->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) {
      return BadKey(absl::StrCat("no key column \"", name, "\"",
                                 DidYouMean(name, key_columns_)));
    }
    RETURN_IF_ERROR(SetKeyField(parts.second, field, key));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ProtobufRows::ParseKey(
    absl::string_view text) const {
  std::unique_ptr<Message> key(key_type_->New());
  if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), "{")) {
    const auto status = google::protobuf::util::JsonStringToMessage(
        std::string(text), key.get());
    if (!status.ok()) {
      return BadKey(absl::StrCat(
          "key is not right: ",
          absl::string_view(status.message().data(), status.message().size())));
    }
  } else if (key_fields_.size() == 1) {
    RETURN_IF_ERROR(SetKeyField(text, key_fields_[0], key.get()));
  } else {
    RETURN_IF_ERROR(SetKeyPairs(text, key.get()));
  }
  return key->SerializeAsString();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DynamicRows>> DynamicRows::Create(
    absl::string_view view, std::vector<std::string> key_columns,
    absl::string_view descriptors) {
  auto rows = std::make_unique<ProtobufRows>();
  RETURN_IF_ERROR(rows->Init(view, std::move(key_columns), descriptors));
  return rows;
}

absl::StatusOr<std::unique_ptr<DynamicRows>> DescribeRows(
    ViewClient* client, const std::string& view) {
  ASSIGN_OR_RETURN(const ViewDescription description, client->Describe(view));
  return DynamicRows::Create(view, description.key_columns,
                             description.descriptors);
}

}  // namespace tidegate::client
