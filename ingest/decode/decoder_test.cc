// MakeDecoder's dispatch, and the decoders of Kafka keys.
#include "ingest/decode/decoder.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ingest/decode/test_rows.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

SourcePlan Table(Type type, KeyFormat format) {
  SourcePlan table;
  table.name = "drivers";
  table.is_table = true;
  table.columns = {{"name", Type::kVarchar}, {"id", type}};
  table.primary_key = {1};
  table.key_format = format;
  return table;
}

std::string DecodeKey(const SourcePlan& table, absl::string_view key) {
  const auto decoder = MakeKeyDecoder(table);
  if (!decoder.ok()) return std::string(decoder.status().message());
  return DecodeToText(decoder->get(), table.columns, key);
}

TEST(KeyDecoderTest, ReadsText) {
  const struct {
    Type type;
    absl::string_view key;
    const char* expected;
  } cases[] = {
      {Type::kBigint, "12", "name=NULL id=12"},
      {Type::kBigint, "-9223372036854775808",
       "name=NULL id=-9223372036854775808"},
      {Type::kInt, "2147483647", "name=NULL id=2147483647"},
      {Type::kBoolean, "true", "name=NULL id=true"},
      {Type::kDouble, "1.5", "name=NULL id=1.5"},
      {Type::kVarchar, "", "name=NULL id=''"},
      {Type::kVarchar, "né 1", "name=NULL id='né 1'"},
      {Type::kTimestamptz, "1970-01-01T00:00:02Z", "name=NULL id=2000000"},
      {Type::kTimestamptz, "1500", "name=NULL id=1500000"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(DecodeKey(Table(c.type, KeyFormat::kText), c.key), c.expected);
  }
}

TEST(KeyDecoderTest, RefusesOtherText) {
  const struct {
    Type type;
    absl::string_view key;
    const char* found;
  } cases[] = {
      {Type::kBigint, "", "expected BIGINT, found \"\""},
      {Type::kBigint, " 1", "found \" 1\""},
      {Type::kBigint, "+1", "found \"+1\""},
      {Type::kBigint, "1.0", "found \"1.0\""},
      {Type::kBigint, "9223372036854775808", "found \"9223372036854775808\""},
      {Type::kInt, "2147483648", "expected INT, found \"2147483648\""},
      {Type::kBoolean, "TRUE", "found \"TRUE\""},
      {Type::kDouble, "nan", "found \"nan\""},
      {Type::kDouble, "1e999", "found \"1e999\""},
      {Type::kVarchar, "\xff", "found invalid UTF-8"},
      {Type::kTimestamptz, "soon", "found \"soon\""},
      {Type::kTimestamptz, "9223372036854775807", "found"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(DecodeKey(Table(c.type, KeyFormat::kText), c.key),
                HasSubstr(c.found));
  }
}

TEST(KeyDecoderTest, ReadsAnObjectOfSeveralColumns) {
  SourcePlan table = Table(Type::kBigint, KeyFormat::kJson);
  table.primary_key = {0, 1};
  EXPECT_EQ(DecodeKey(table, R"({"id":3,"name":"x"})"), "name='x' id=3");
  EXPECT_THAT(DecodeKey(table, R"({"id":3})"),
              HasSubstr("column \"name\": expected VARCHAR, found no value"));
  EXPECT_THAT(DecodeKey(table, R"({"id":null,"name":"x"})"),
              HasSubstr("found no value"));
  EXPECT_THAT(DecodeKey(table, "3"), HasSubstr("not an object"));
}

TEST(KeyDecoderTest, TextHoldsOneColumnOnly) {
  SourcePlan table = Table(Type::kBigint, KeyFormat::kText);
  table.primary_key = {0, 1};
  EXPECT_THAT(DecodeKey(table, "3"), HasSubstr("the table has 2"));
}

TEST(DecoderTest, NamesTheSourceInSchemaErrors) {
  SourcePlan source = Table(Type::kBigint, KeyFormat::kText);
  source.encodings = {
      {.format = Format::kProtobuf, .proto_file = "no-such-file.proto"}};
  const auto decoder = MakeDecoder(source, {true, true}, testing::TempDir());
  EXPECT_THAT(std::string(decoder.status().message()),
              HasSubstr("source=drivers: cannot read \""));
}

TEST(DecoderTest, ARegistryNeedsSomeoneWhoAsksIt) {
  SourcePlan source = Table(Type::kBigint, KeyFormat::kText);
  source.encodings = {{.format = Format::kAvro, .schema_registry = "http://r"}};
  const auto decoder = MakeDecoder(source, {true, true}, "");
  EXPECT_TRUE(absl::IsFailedPrecondition(decoder.status()));
  EXPECT_THAT(std::string(decoder.status().message()),
              HasSubstr("schema.registry=http://r"));
}

TEST(DecoderTest, MetadataIsLeftNull) {
  SourcePlan source = Table(Type::kBigint, KeyFormat::kText);
  source.columns.push_back({"k", Type::kVarchar});
  source.included = {{Metadata::kKey, ""}};
  const auto decoder = MakeDecoder(source, {true, true, true}, "");
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  EXPECT_EQ(DecodeToText(decoder->get(), source.columns,
                         R"({"id":1,"name":"x","k":"y"})"),
            "name='x' id=1 k=NULL");
}

}  // namespace
}  // namespace tidegate
