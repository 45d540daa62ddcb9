#include "clients/cpp/dynamic_rows.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <gtest/gtest.h>

#include <string>

#include "base/coding.h"

namespace tidegate::client {
namespace {

using google::protobuf::FieldDescriptorProto;
using ::testing::HasSubstr;

void AddField(const std::string& name, int number,
              FieldDescriptorProto::Type type,
              google::protobuf::DescriptorProto* message) {
  FieldDescriptorProto* field = message->add_field();
  field->set_name(name);
  field->set_number(number);
  field->set_type(type);
  field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
  field->set_proto3_optional(true);
  field->set_oneof_index(message->oneof_decl_size());
  message->add_oneof_decl()->set_name("_" + name);
  if (type == FieldDescriptorProto::TYPE_MESSAGE) {
    field->set_type_name(".google.protobuf.Timestamp");
  }
}

std::string Descriptors() {
  google::protobuf::FileDescriptorSet set;
  google::protobuf::Timestamp::descriptor()->file()->CopyTo(set.add_file());
  auto* file = set.add_file();
  file->set_name("tidegate/views/region_minute.proto");
  file->set_package("tidegate.views");
  file->set_syntax("proto3");
  file->add_dependency("google/protobuf/timestamp.proto");
  auto* row = file->add_message_type();
  row->set_name("RegionMinuteRow");
  // The view's order is not the order of numbers.
  AddField("at", 7, FieldDescriptorProto::TYPE_MESSAGE, row);
  AddField("region", 1, FieldDescriptorProto::TYPE_STRING, row);
  AddField("n", 2, FieldDescriptorProto::TYPE_INT64, row);
  AddField("top", 3, FieldDescriptorProto::TYPE_DOUBLE, row);
  AddField("small", 4, FieldDescriptorProto::TYPE_INT32, row);
  AddField("ok", 5, FieldDescriptorProto::TYPE_BOOL, row);
  auto* key = file->add_message_type();
  key->set_name("RegionMinuteKey");
  AddField("region", 1, FieldDescriptorProto::TYPE_STRING, key);
  AddField("at", 7, FieldDescriptorProto::TYPE_MESSAGE, key);
  return set.SerializeAsString();
}

std::string SampleRow() {
  std::string row;
  PutTag(&row, 1, WireType::kLengthDelimited);
  PutLengthPrefixed(&row, "EU \"west\"");
  PutTag(&row, 2, WireType::kVarint);
  PutVarint64(&row, 9007199254740993u);
  std::string at;
  PutTag(&at, 1, WireType::kVarint);
  PutVarint64(&at, 1);
  PutTag(&at, 2, WireType::kVarint);
  PutVarint64(&at, 500'000'000);
  PutTag(&row, 7, WireType::kLengthDelimited);
  PutLengthPrefixed(&row, at);
  return row;
}

class DynamicRowsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto rows =
        DynamicRows::Create("region_minute", {"region", "at"}, Descriptors());
    ASSERT_TRUE(rows.ok()) << rows.status();
    rows_ = *std::move(rows);
  }
  std::unique_ptr<DynamicRows> rows_;
};

TEST_F(DynamicRowsTest, RowAsJson) {
  EXPECT_EQ(*rows_->RowJson(SampleRow()),
            R"({"at":"1970-01-01T00:00:01.500Z","region":"EU \"west\"",)"
            R"("n":9007199254740993,"top":null,"small":null,"ok":null})");
  EXPECT_EQ(*rows_->KeyJsonOfRow(SampleRow()),
            R"({"region":"EU \"west\"","at":"1970-01-01T00:00:01.500Z"})");
  EXPECT_EQ(*rows_->RowInt(SampleRow(), "n"), 9007199254740993);
  EXPECT_FALSE(rows_->RowInt(SampleRow(), "region").ok());
}

TEST_F(DynamicRowsTest, RowsAreOrderedByTheirKeys) {
  const KeyOrder& order = rows_->key_order();
  EXPECT_EQ(order, KeyOrder({{1, KeyColumn::Type::kText},
                             {7, KeyColumn::Type::kTimestamp}}));
  const auto key = rows_->ParseKey(
      R"({"region":"EU \"west\"","at":"1970-01-01T00:00:01.5Z"})");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(order.Of(*key).value(), order.Of(SampleRow()).value());
}

TEST_F(DynamicRowsTest, RowAsCells) {
  EXPECT_EQ(
      *rows_->RowCells(SampleRow()),
      (std::vector<std::string>{"1970-01-01T00:00:01.500Z", "EU \"west\"",
                                "9007199254740993", "NULL", "NULL", "NULL"}));
}

TEST_F(DynamicRowsTest, KeysRoundTrip) {
  const std::string json = R"({"region":"EU","at":"1969-12-31T23:59:59.500Z"})";
  for (const std::string& text :
       {std::string("region=EU,at=1969-12-31 23:59:59.5"),
        std::string("at=1969-12-31T23:59:59.5Z,region=EU"), json}) {
    const auto key = rows_->ParseKey(text);
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(*rows_->KeyJson(*key), json) << text;
  }
}

TEST_F(DynamicRowsTest, WrongKeysShowTheShape) {
  const auto unknown = rows_->ParseKey("regoin=EU");
  ASSERT_FALSE(unknown.ok());
  EXPECT_THAT(unknown.status().message(),
              HasSubstr("no key column \"regoin\", did you mean \"region\"?"));
  EXPECT_THAT(unknown.status().message(),
              HasSubstr("region=<string>,at=<timestamp>"));
  EXPECT_FALSE(rows_->ParseKey("at=yesterday").ok());
  EXPECT_FALSE(rows_->ParseKey(R"({"city":"x"})").ok());
  EXPECT_FALSE(rows_->ParseKey("").ok());
}

TEST_F(DynamicRowsTest, SingleKeyColumnIsPlainText) {
  auto rows = DynamicRows::Create("region_minute", {"region"}, Descriptors());
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(*(*rows)->KeyJson(*(*rows)->ParseKey("a=1,b")),
            R"({"region":"a=1,b"})");
}

TEST_F(DynamicRowsTest, MalformedBytesAreErrors) {
  EXPECT_EQ(rows_->RowJson("\xff").status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_FALSE(DynamicRows::Create("other", {}, Descriptors()).ok());
  EXPECT_FALSE(DynamicRows::Create("region_minute", {}, "\xff").ok());
  EXPECT_FALSE(DynamicRows::Create("region_minute", {"n"}, Descriptors()).ok());
}

}  // namespace
}  // namespace tidegate::client
