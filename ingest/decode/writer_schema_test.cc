#include "ingest/decode/writer_schema.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "ingest/decode/test_rows.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

constexpr char kRegistry[] = "http://registry";

constexpr char kShop[] = R"(syntax = "proto3";
package shop;
message Other { string id = 1; }
message Order {
  string id = 1;
  int64 amount = 2;
  optional string region = 3;
  message Line { string id = 1; int64 amount = 5; }
}
)";

class WriterSchemaTest : public ::testing::Test {
 protected:
  WriterSchemaTest() {
    source_.name = "orders";
    source_.columns = {{"id", Type::kVarchar},
                       {"amount", Type::kBigint},
                       {"region", Type::kVarchar}};
    used_.assign(3, true);
    Encoding encoding;
    encoding.format = Format::kProtobuf;
    encoding.schema_registry = kRegistry;
    source_.encodings = {encoding};
  }
  absl::StatusOr<std::unique_ptr<Decoder>> Make(
      const std::string& text, const std::vector<int>& indexes = {1}) {
    WriterSchema schema;
    schema.id = 7;
    schema.type = type_;
    schema.text = text;
    schema.references = references_;
    return MakeWriterDecoder(source_, used_, schema, indexes);
  }
  std::string Read(const std::string& text, const std::string& bytes,
                   const std::vector<int>& indexes = {1}) {
    const auto decoder = Make(text, indexes);
    if (!decoder.ok()) return std::string(decoder.status().message());
    return DecodeToText(decoder->get(), source_.columns, bytes);
  }
  std::string ErrorOf(const std::string& text,
                      const std::vector<int>& indexes = {1}) {
    const auto decoder = Make(text, indexes);
    EXPECT_TRUE(absl::IsInvalidArgument(decoder.status()));
    return std::string(decoder.status().message());
  }
  // Fields 1, 2 and 3 of an order.
  static std::string Order(absl::string_view id, uint64_t amount,
                           absl::string_view region = "") {
    std::string bytes;
    PutTag(&bytes, 1, WireType::kLengthDelimited);
    PutLengthPrefixed(&bytes, id);
    PutTag(&bytes, 2, WireType::kVarint);
    PutVarint64(&bytes, amount);
    if (!region.empty()) {
      PutTag(&bytes, 3, WireType::kLengthDelimited);
      PutLengthPrefixed(&bytes, region);
    }
    return bytes;
  }

  SourcePlan source_;
  std::vector<bool> used_;
  WriterSchema::Type type_ = WriterSchema::Type::kProtobuf;
  std::vector<WriterSchema::Reference> references_;
};

TEST_F(WriterSchemaTest, ReadsByTheNamesOfTheWritersFields) {
  EXPECT_EQ(Read(kShop, Order("a", 5, "EU")), "id='a' amount=5 region='EU'");
  EXPECT_EQ(Read(kShop, ""), "id='' amount=0 region=NULL");
  // Renumbered, and in another order.
  constexpr char kRenumbered[] = R"(syntax = "proto3";
package shop;
message Order { optional string region = 1; string id = 3; sint64 amount = 9; }
)";
  std::string bytes;
  PutTag(&bytes, 9, WireType::kVarint);
  PutVarint64(&bytes, ZigZag(-5));
  PutTag(&bytes, 3, WireType::kLengthDelimited);
  PutLengthPrefixed(&bytes, "b");
  EXPECT_EQ(Read(kRenumbered, bytes, {0}), "id='b' amount=-5 region=NULL");
}

TEST_F(WriterSchemaTest, WhatTheWriterLacksIsNull) {
  EXPECT_EQ(Read(R"(syntax = "proto3"; message A { string id = 1; })",
                 Order("a", 5), {0}),
            "id='a' amount=NULL region=NULL");
}

TEST_F(WriterSchemaTest, OnlyUsedColumnsMustFit) {
  constexpr char kText[] = R"(syntax = "proto3"; package shop;
message Order { string id = 1; string amount = 2; })";
  EXPECT_EQ(ErrorOf(kText, {0}),
            "schema id=7: column \"amount\": BIGINT cannot hold field "
            "shop.Order.amount of type string");
  used_[1] = false;
  EXPECT_TRUE(Make(kText, {0}).ok());
}

TEST_F(WriterSchemaTest, TheIndexesChooseTheMessage) {
  EXPECT_EQ(Read(kShop, Order("x", 1), {0}), "id='x' amount=NULL region=NULL");
  std::string bytes;
  PutTag(&bytes, 5, WireType::kVarint);
  PutVarint64(&bytes, 9);
  EXPECT_EQ(Read(kShop, bytes, {1, 0}), "id='' amount=9 region=NULL");
  EXPECT_EQ(ErrorOf(kShop, {2}),
            "schema id=7: it has no message of the indexes [2]");
  EXPECT_EQ(ErrorOf(kShop, {1, 0, 0}),
            "schema id=7: it has no message of the indexes [1, 0, 0]");
  EXPECT_THAT(ErrorOf(kShop, {}), HasSubstr("names no message"));
}

TEST_F(WriterSchemaTest, AnotherMessageThanTheSourcesIsNamed) {
  source_.encodings[0].proto_message = "shop.Order";
  EXPECT_TRUE(Make(kShop).ok());
  EXPECT_EQ(ErrorOf(kShop, {0}),
            "schema id=7: the record is a shop.Other, and the source reads "
            "shop.Order");
  EXPECT_THAT(ErrorOf(kShop, {1, 0}), HasSubstr("is a shop.Order.Line"));
}

TEST_F(WriterSchemaTest, ReadsReferencesAndWellKnownTypes) {
  source_.columns.push_back({"at", Type::kTimestamptz});
  source_.columns.push_back({"kind", Type::kVarchar});
  used_.assign(5, true);
  references_ = {
      {"base/kinds.proto",
       R"(syntax = "proto3"; package k; enum Kind { NONE = 0; RIDE = 1; })"},
      {"base/more.proto",
       R"(syntax = "proto3"; package k; import "base/kinds.proto";
          message More { Kind kind = 1; })"}};
  constexpr char kText[] = R"(syntax = "proto3"; package shop;
import "google/protobuf/timestamp.proto";
import "base/kinds.proto";
import public "base/more.proto";
message Order {
  string id = 1;
  google.protobuf.Timestamp at = 2;
  k.Kind kind = 3;
  k.More more = 4;
})";
  std::string bytes;
  PutTag(&bytes, 2, WireType::kLengthDelimited);
  PutLengthPrefixed(&bytes, "\x08\x05");
  PutTag(&bytes, 3, WireType::kVarint);
  PutVarint64(&bytes, 1);
  EXPECT_EQ(Read(kText, bytes, {0}),
            "id='' amount=NULL region=NULL at=5000000 kind='RIDE'");
  references_[1].text = "syntax = \"proto3\"; mess";
  EXPECT_THAT(ErrorOf(kText, {0}),
              HasSubstr("it does not compile: base/more.proto:1:20: "));
}

// Registries know these without a reference.
TEST_F(WriterSchemaTest, WhatIsImportedAndNotThereCannotBeAColumn) {
  constexpr char kText[] = R"(syntax = "proto3"; package shop;
import "google/type/money.proto";
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
message Order {
  option (confluent.message_meta).doc = "an order";
  string id = 1 [(confluent.field_meta) = { doc: "its id" }];
  google.type.Money amount = 2;
  confluent.type.Decimal price = 3 [(confluent.field_meta).doc = "in cents"];
})";
  EXPECT_THAT(ErrorOf(kText, {0}),
              HasSubstr("column \"amount\": BIGINT cannot hold field "
                        "shop.Order.amount of type message google.type.Money"));
  used_[1] = false;
  EXPECT_EQ(Read(kText, Order("a", 5).substr(0, 3), {0}),
            "id='a' amount=NULL region=NULL");
}

// As confluent-kafka for Python registers it, and some registries hand it back.
TEST_F(WriterSchemaTest, ReadsDescriptorsInBase64) {
  google::protobuf::FileDescriptorProto file;
  file.set_name("anything.proto");
  file.set_syntax("proto3");
  file.add_dependency("refs/kind.proto");
  auto* const message = file.add_message_type();
  message->set_name("Order");
  auto* const field = message->add_field();
  field->set_name("region");
  field->set_number(4);
  field->set_type(google::protobuf::FieldDescriptorProto::TYPE_ENUM);
  field->set_type_name(".Kind");
  google::protobuf::FileDescriptorProto kind;
  // By another name than it is imported by.
  kind.set_name("kind.proto");
  kind.set_syntax("proto3");
  auto* const type = kind.add_enum_type();
  type->set_name("Kind");
  auto* const value = type->add_value();
  value->set_name("NONE");
  value->set_number(0);
  references_ = {
      {"refs/kind.proto", absl::Base64Escape(kind.SerializeAsString())}};
  EXPECT_EQ(Read(absl::Base64Escape(file.SerializeAsString()), "", {0}),
            "id=NULL amount=NULL region='NONE'");
}

// Protobuf's own message quotes it.
TEST_F(WriterSchemaTest, WhatIsNoTextInADescriptorIsShownAsBytes) {
  google::protobuf::FileDescriptorProto file;
  file.set_name("a.proto");
  file.set_syntax("proto\xef");
  file.add_message_type()->set_name("Order");
  EXPECT_THAT(ErrorOf(absl::Base64Escape(file.SerializeAsString()), {0}),
              HasSubstr("proto\\xef"));
}

TEST_F(WriterSchemaTest, WhatDoesNotCompileIsSaid) {
  EXPECT_THAT(ErrorOf("message A { nonsense }", {0}),
              HasSubstr("schema id=7: it does not compile: schema 7:1:"));
  EXPECT_THAT(ErrorOf(R"(syntax = "proto3";
message A { string a = 1; string b = 1; })",
                      {0}),
              HasSubstr("it does not compile: schema 7: A.b: "));
  std::string deep = "syntax = \"proto3\";";
  for (int i = 0; i <= 100; ++i) deep += "message A {";
  EXPECT_THAT(ErrorOf(deep, {0}), HasSubstr("nested deeper than 100"));
}

TEST_F(WriterSchemaTest, ATypeThatTheSourceDoesNotReadIsNamed) {
  type_ = WriterSchema::Type::kAvro;
  EXPECT_EQ(ErrorOf("\"string\""),
            "schema id=7: it is of type Avro, which the source does not read");
  type_ = WriterSchema::Type::kJson;
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("it is of type JSON"));
  // Bare JSON only.
  source_.encodings.insert(source_.encodings.begin(), Encoding());
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("it is of type JSON"));
  source_.encodings[0].schema_registry = kRegistry;
  EXPECT_EQ(Read("{}", R"({"id":"a","amount":5})", {}),
            "id='a' amount=5 region=NULL");
}

TEST_F(WriterSchemaTest, AvroIsReadByTheWritersSchema) {
  source_.encodings[0].format = Format::kAvro;
  type_ = WriterSchema::Type::kAvro;
  constexpr char kText[] = R"({"type":"record","name":"Order","fields":[
    {"name":"amount","type":"long"},{"name":"id","type":"string"}]})";
  EXPECT_EQ(Read(kText,
                 "\x0a\x02"
                 "a",
                 {}),
            "id='a' amount=5 region=NULL");
  EXPECT_THAT(ErrorOf("{", {}), HasSubstr("schema id=7: "));
}

}  // namespace
}  // namespace tidegate
