// Rows are what libprotobuf would have written.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/timestamp.pb.h>

#include <limits>
#include <memory>

#include "gtest/gtest.h"
#include "views/fold/row_codec.h"

namespace tidegate {
namespace {

namespace pb = ::google::protobuf;

RowSchema Schema() {
  RowSchema schema;
  // Numbers neither ascending nor dense.
  schema.fields = {{"b", Type::kBoolean, 1},  {"i", Type::kInt, 20},
                   {"l", Type::kBigint, 3},   {"d", Type::kDouble, 4},
                   {"s", Type::kVarchar, 16}, {"t", Type::kTimestamptz, 6}};
  return schema;
}

pb::FieldDescriptorProto::Type ProtoType(Type type) {
  switch (type) {
    case Type::kBoolean:
      return pb::FieldDescriptorProto::TYPE_BOOL;
    case Type::kInt:
      return pb::FieldDescriptorProto::TYPE_INT32;
    case Type::kBigint:
      return pb::FieldDescriptorProto::TYPE_INT64;
    case Type::kDouble:
      return pb::FieldDescriptorProto::TYPE_DOUBLE;
    case Type::kVarchar:
      return pb::FieldDescriptorProto::TYPE_STRING;
    case Type::kTimestamptz:
      break;
  }
  return pb::FieldDescriptorProto::TYPE_MESSAGE;
}

// The message type that the schema stands for.
class RowMessage {
 public:
  explicit RowMessage(const RowSchema& schema) {
    pb::FileDescriptorProto timestamp, file;
    pb::Timestamp::descriptor()->file()->CopyTo(&timestamp);
    pool_.BuildFile(timestamp);
    file.set_name("row.proto");
    file.set_syntax("proto3");
    file.add_dependency(timestamp.name());
    pb::DescriptorProto* message = file.add_message_type();
    message->set_name("Row");
    for (const RowSchema::Field& field : schema.fields) {
      pb::FieldDescriptorProto* proto = message->add_field();
      proto->set_name(field.name);
      proto->set_number(static_cast<int>(field.number));
      proto->set_label(pb::FieldDescriptorProto::LABEL_OPTIONAL);
      proto->set_type(ProtoType(field.type));
      proto->set_proto3_optional(true);
      proto->set_oneof_index(message->oneof_decl_size());
      message->add_oneof_decl()->set_name("_" + field.name);
      if (field.type == Type::kTimestamptz) {
        proto->set_type_name(".google.protobuf.Timestamp");
      }
    }
    type_ = pool_.BuildFile(file)->FindMessageTypeByName("Row");
  }

  std::unique_ptr<pb::Message> Make(const RowSchema& schema, Row row) {
    std::unique_ptr<pb::Message> message(factory_.GetPrototype(type_)->New());
    for (size_t i = 0; i < row.size(); ++i) {
      if (row[i].is_null) continue;
      Set(message.get(), type_->FindFieldByName(schema.fields[i].name),
          schema.fields[i].type, row[i]);
    }
    return message;
  }

 private:
  static void Set(pb::Message* message, const pb::FieldDescriptor* field,
                  Type type, const Datum& value) {
    const pb::Reflection* reflection = message->GetReflection();
    switch (type) {
      case Type::kBoolean:
        reflection->SetBool(message, field, value.b);
        break;
      case Type::kInt:
        reflection->SetInt32(message, field, static_cast<int32_t>(value.i));
        break;
      case Type::kBigint:
        reflection->SetInt64(message, field, value.i);
        break;
      case Type::kDouble:
        reflection->SetDouble(message, field, value.d);
        break;
      case Type::kVarchar:
        reflection->SetString(message, field, std::string(value.text()));
        break;
      case Type::kTimestamptz: {
        pb::Message* time = reflection->MutableMessage(message, field);
        int64_t seconds = value.i / 1'000'000;
        int64_t micros = value.i % 1'000'000;
        if (micros < 0) {
          micros += 1'000'000;
          --seconds;
        }
        const pb::Descriptor* type_of_time = time->GetDescriptor();
        time->GetReflection()->SetInt64(
            time, type_of_time->FindFieldByName("seconds"), seconds);
        time->GetReflection()->SetInt32(time,
                                        type_of_time->FindFieldByName("nanos"),
                                        static_cast<int32_t>(micros * 1000));
        break;
      }
    }
  }

  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_;
  const pb::Descriptor* type_ = nullptr;
};

TEST(RowCodecProtobufTest, BytesAreLibprotobufs) {
  const RowSchema schema = Schema();
  RowMessage messages(schema);
  const Datum null = Datum::Null();
  const std::string long_text(300, 'x');
  const std::vector<std::vector<Datum>> rows = {
      {null, null, null, null, null, null},
      {Datum::Bool(false), Datum::Int(0), Datum::Int(0), Datum::Double(0),
       Datum::Text(""), Datum::Int(0)},
      {Datum::Bool(true), Datum::Int(-1), Datum::Int(-1), Datum::Double(-0.0),
       Datum::Text("stra\xc3\x9f"
                   "e"),
       Datum::Int(-1)},
      {null, Datum::Int(2147483647),
       Datum::Int(std::numeric_limits<int64_t>::min()), Datum::Double(1e300),
       Datum::Text(long_text), Datum::Int(1'357'034'400'000'001)},
      {null, null, Datum::Int(1), null, null, Datum::Int(5'000'000)},
  };
  for (const std::vector<Datum>& row : rows) {
    std::string bytes;
    EncodeRow(schema, row, &bytes);
    EXPECT_EQ(bytes, messages.Make(schema, row)->SerializeAsString());
  }
}

TEST(RowCodecProtobufTest, ReadsWhatLibprotobufWrote) {
  const RowSchema schema = Schema();
  RowMessage messages(schema);
  const std::vector<Datum> row = {
      Datum::Bool(true), Datum::Int(-7),     Datum::Int(1LL << 40),
      Datum::Double(.1), Datum::Text("abc"), Datum::Int(-1'500'000)};
  const std::string bytes = messages.Make(schema, row)->SerializeAsString();
  std::vector<Datum> read(row.size());
  ASSERT_TRUE(DecodeRow(schema, bytes, absl::MakeSpan(read)).ok());
  for (size_t i = 0; i < row.size(); ++i) {
    EXPECT_EQ(CompareDatum(schema.fields[i].type, read[i], row[i]), 0) << i;
  }
}

}  // namespace
}  // namespace tidegate
