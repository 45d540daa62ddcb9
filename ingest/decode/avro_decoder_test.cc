#include "ingest/decode/avro_decoder.h"

#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ingest/decode/avro_schema.h"
#include "ingest/decode/avro_testing.h"
#include "ingest/decode/test_rows.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

constexpr char kOrder[] = R"({
  "type": "record", "name": "Order", "namespace": "shop", "doc": "x",
  "fields": [
    {"name": "flag", "type": "boolean"},
    {"name": "n", "type": "int", "default": 3},
    {"name": "id", "type": "long"},
    {"name": "real", "type": "float"},
    {"name": "amount", "type": ["null", "double"]},
    {"name": "note", "type": {"type": "string", "avro.java.string": "String"}},
    {"name": "kind", "type": {"type": "enum", "name": "Kind",
                              "symbols": ["BIKE", "CAR"]}},
    {"name": "kind_number", "type": "Kind"},
    {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "us", "type": ["null", {"type": "long",
                                     "logicalType": "timestamp-micros"}]},
    {"name": "ns", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
    {"name": "raw", "type": "long"},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "nothing", "type": "null"},
    {"name": "mixed", "type": ["int", "long", "null"]}
  ]})";

std::vector<Column> OrderColumns() {
  return {{"flag", Type::kBoolean},    {"n", Type::kInt},
          {"id", Type::kBigint},       {"real", Type::kDouble},
          {"amount", Type::kDouble},   {"note", Type::kVarchar},
          {"kind", Type::kVarchar},    {"kind_number", Type::kInt},
          {"ms", Type::kTimestamptz},  {"us", Type::kTimestamptz},
          {"ns", Type::kTimestamptz},  {"raw", Type::kTimestamptz},
          {"day", Type::kTimestamptz}, {"nothing", Type::kVarchar},
          {"mixed", Type::kBigint}};
}

std::string OrderBytes() {
  AvroBytes bytes;
  bytes.Byte(1).Long(-7).Long(int64_t{1} << 62).Float(1.5);
  bytes.Long(1).Double(-2.25).Text("né").Long(1).Long(0);
  bytes.Long(1'700'000'000'123).Long(1).Long(1'700'000'000'123'456);
  bytes.Long(-1).Long(5).Long(-1).Long(1).Long(1'000'000'000'000);
  return bytes.text();
}

SourcePlan Source(std::vector<Column> columns) {
  SourcePlan source;
  source.name = "orders";
  source.columns = std::move(columns);
  source.encodings = {{.format = Format::kAvro, .schema_file = "order.avsc"}};
  return source;
}

absl::StatusOr<std::unique_ptr<Decoder>> Make(const SourcePlan& source,
                                              const std::string& schema) {
  WriterSchema writer;
  writer.id = 17;
  writer.type = WriterSchema::Type::kAvro;
  writer.text = schema;
  return MakeAvroWriterDecoder(
      source, std::vector<bool>(source.columns.size(), true), writer);
}

std::string Decode(const std::vector<Column>& columns,
                   const std::string& schema, const std::string& bytes) {
  const SourcePlan source = Source(columns);
  const auto decoder = Make(source, schema);
  if (!decoder.ok()) return std::string(decoder.status().message());
  return DecodeToText(decoder->get(), columns, bytes);
}

// A record r of one field f.
std::string Record(absl::string_view type) {
  return absl::StrCat(
      R"({"type":"record","name":"r","fields":[{"name":"f","type":)", type,
      "}]}");
}

// The same and then a field of a number.
std::string Skipping(absl::string_view type) {
  return absl::StrCat(
      R"({"type":"record","name":"r","fields":[{"name":"f","type":)", type,
      R"(},{"name":"x","type":"long"}]})");
}
const std::vector<Column> kX = {{"x", Type::kBigint}};

TEST(AvroDecoderTest, EveryType) {
  EXPECT_EQ(Decode(OrderColumns(), kOrder, OrderBytes()),
            "flag=true n=-7 id=4611686018427387904 real=1.5 amount=-2.25 "
            "note='né' kind='CAR' kind_number=0 ms=1700000000123000 "
            "us=1700000000123456 ns=-1 raw=5000 day=-86400000000 nothing=NULL "
            "mixed=1000000000000");
}

TEST(AvroDecoderTest, NumbersWithoutTheirLogicalTypes) {
  EXPECT_EQ(Decode({{"ms", Type::kBigint}, {"day", Type::kInt}}, kOrder,
                   OrderBytes()),
            "ms=1700000000123 day=-1");
}

// What is not used is passed over, whatever it is.
TEST(AvroDecoderTest, ReadsWhatIsUsed) {
  const std::vector<Column> columns = OrderColumns();
  const SourcePlan source = Source(columns);
  WriterSchema writer;
  writer.text = kOrder;
  for (size_t i = 0; i < columns.size(); ++i) {
    std::vector<bool> used(columns.size());
    used[i] = true;
    const auto decoder = MakeAvroWriterDecoder(source, used, writer);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    std::vector<Datum> row(columns.size(), Datum::Int(-77));
    ASSERT_TRUE((*decoder)->Decode(OrderBytes(), absl::MakeSpan(row)).ok());
    for (size_t j = 0; j < row.size(); ++j) {
      if (j != i) {
        EXPECT_TRUE(row[j].is_null) << i << " " << j;
      } else if (columns[i].name != "nothing") {
        EXPECT_FALSE(row[j].is_null) << i;
      }
    }
  }
}

TEST(AvroDecoderTest, SkipsAllThatNests) {
  const auto skipped = [](absl::string_view type, AvroBytes bytes) {
    return Decode(kX, Skipping(type), bytes.Long(42).text());
  };
  EXPECT_EQ(
      skipped(R"({"type":"array","items":"int"})",
              AvroBytes().Long(2).Long(1).Long(300).Long(1).Long(5).Long(0)),
      "x=42");
  // A block with its size is passed over without a look.
  EXPECT_EQ(skipped(R"({"type":"array","items":"string"})",
                    AvroBytes().Long(-1000).Long(3).Raw("???").Long(0)),
            "x=42");
  EXPECT_EQ(
      skipped(
          R"({"type":"map","values":{"type":"map","values":"float"}})",
          AvroBytes().Long(1).Text("k").Long(1).Text("i").Float(1).Long(0).Long(
              0)),
      "x=42");
  EXPECT_EQ(skipped(R"({"type":"array","items":"double"})",
                    AvroBytes().Long(2).Double(1).Double(2).Long(0)),
            "x=42");
  EXPECT_EQ(
      skipped(
          R"({"type":"record","name":"in","fields":[
                       {"name":"a","type":{"type":"fixed","name":"md5",
                                           "size":16}},
                       {"name":"b","type":["null","md5","bytes"]},
                       {"name":"c","type":"boolean"}]})",
          AvroBytes().Raw(std::string(16, 'x')).Long(2).Text("abc").Byte(7)),
      "x=42");
  EXPECT_EQ(skipped(R"(["null",{"type":"record","name":"list","fields":[
                       {"name":"next","type":["null","list"]},
                       {"name":"v","type":"string"}]}])",
                    AvroBytes().Long(1).Long(1).Long(0).Text("in").Text("out")),
            "x=42");
  EXPECT_EQ(
      skipped(R"({"type":"record","name":"none","fields":[]})", AvroBytes()),
      "x=42");
}

TEST(AvroDecoderTest, ColumnsThatTheWriterHasNotAreNull) {
  EXPECT_EQ(Decode({{"id", Type::kBigint}, {"new", Type::kVarchar}}, kOrder,
                   OrderBytes()),
            "id=4611686018427387904 new=NULL");
}

TEST(AvroDecoderTest, TypesThatDoNotFitAreNamed) {
  const struct {
    Type type;
    const char* avro;
    const char* described;
  } kCases[] = {
      {Type::kVarchar, R"("bytes")", "bytes"},
      {Type::kVarchar, R"(["null","string","int"])",
       "union [null, string, int]"},
      {Type::kInt, R"("long")", "long"},
      {Type::kBigint, R"("string")", "string"},
      {Type::kBoolean, R"("int")", "int"},
      {Type::kDouble, R"("long")", "long"},
      {Type::kDouble,
       R"({"type":"bytes","logicalType":"decimal","precision":9})",
       "bytes (decimal)"},
      {Type::kDouble,
       R"({"type":"fixed","name":"d","size":8,"logicalType":"decimal"})",
       "fixed d (decimal)"},
      {Type::kTimestamptz, R"("int")", "int"},
      {Type::kTimestamptz, R"("string")", "string"},
      {Type::kTimestamptz, R"({"type":"long","logicalType":"time-micros"})",
       "long (time-micros)"},
      {Type::kTimestamptz,
       R"({"type":"long","logicalType":"local-timestamp-millis"})",
       "long (local-timestamp-millis)"},
      {Type::kVarchar, R"({"type":"array","items":"string"})", "array"},
      {Type::kVarchar, R"({"type":"map","values":"string"})", "map"},
      {Type::kVarchar, R"({"type":"record","name":"in","fields":[]})",
       "record in"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Decode({{"f", c.type}}, Record(c.avro), ""),
              absl::StrCat("schema id=17: column \"f\": ", TypeName(c.type),
                           " cannot hold field r.f of type ", c.described));
  }
}

TEST(AvroDecoderTest, BadSchemasAreNamed) {
  const struct {
    std::string schema;
    const char* error;
  } kCases[] = {
      {"{", "Avro schema: not JSON"},
      {"", "not JSON"},
      {"3", "neither a name, an array nor an object"},
      {R"("long")", "the schema is no record: long"},
      {R"(["null"])", "the schema is no record: union [null]"},
      {Record(R"("sting")"), "Avro schema: r.f: unknown type \"sting\""},
      {Record("[]"), "r.f: a union without branches"},
      {Record(R"(["int",["null"]])"), "r.f: a union in a union"},
      {Record(R"({"items":"int"})"), "an object without \"type\""},
      {Record(R"({"type":["int"]})"), "or with one that is no text"},
      {Record(R"({"type":"array"})"), "an array without \"items\""},
      {Record(R"({"type":"map"})"), "a map without \"values\""},
      {Record(R"({"type":"enum","symbols":[]})"), "enum without \"name\""},
      {Record(R"({"type":"enum","name":"e"})"), "without \"symbols\""},
      {Record(R"({"type":"enum","name":"e","symbols":[1]})"), "is no text"},
      {Record(R"({"type":"fixed","name":"f"})"), "without a \"size\""},
      {Record(R"({"type":"fixed","name":"f","size":-1})"), "in range"},
      {Record(R"({"type":"record","name":"r","fields":[]})"),
       "\"r\" is defined twice"},
      {R"({"type":"record","name":"r"})", "record r without \"fields\""},
      {R"({"type":"record","name":"r","fields":[{"name":"a"}]})",
       "a field without \"name\" or \"type\" in record r"},
      {R"({"type":"record","name":"r","fields":[
          {"name":"a","type":"int"},{"name":"a","type":"int"}]})",
       "field \"a\" is there twice in record r"},
  };
  for (const auto& c : kCases) {
    const std::string found = Decode({{"f", Type::kBigint}}, c.schema, "");
    EXPECT_THAT(found, HasSubstr("schema id=17: ")) << c.schema;
    EXPECT_THAT(found, HasSubstr(c.error)) << c.schema;
  }
}

TEST(AvroDecoderTest, SchemasNestToALimitAndHaveOne) {
  std::string deep = R"("int")";
  for (int i = 0; i < kMaxAvroSchemaDepth + 2; ++i) {
    deep = absl::StrCat(R"({"type":"array","items":)", deep, "}");
  }
  EXPECT_THAT(Decode(kX, Record(deep), ""), HasSubstr("nested too deeply"));
  std::string wide = R"({"type":"record","name":"r","fields":[)";
  for (int i = 0; i <= kMaxAvroTypes; ++i) {
    absl::StrAppend(&wide, i == 0 ? "" : ",", R"({"name":"f)", i,
                    R"(","type":{"type":"array","items":"int"}})");
  }
  EXPECT_THAT(Decode(kX, wide + "]}", ""), HasSubstr("more than 4096 types"));
}

// Each of these doubles what the one before has.
TEST(AvroDecoderTest, ASmallSchemaCannotMakeALargeProgram) {
  std::string schema = R"({"type":"record","name":"r","fields":[
      {"name":"f0","type":{"type":"record","name":"r0","fields":[
          {"name":"a","type":"string"}]}})";
  for (int i = 1; i < 60; ++i) {
    absl::StrAppend(&schema, R"(,{"name":"f)", i,
                    R"(","type":{"type":"record","name":"r)", i,
                    R"(","fields":[{"name":"a","type":"r)", i - 1,
                    R"("},{"name":"b","type":"r)", i - 1, R"("}]}})");
  }
  EXPECT_THAT(Decode(kX, schema + "]}", std::string(100'000, '\0')),
              HasSubstr("malformed Avro: field"));
}

TEST(AvroDecoderTest, NamesFollowTheirNamespaces) {
  const std::string schema = R"({"type":"record","name":"a.b.R","fields":[
      {"name":"e","type":{"type":"enum","name":"E","symbols":["x"]}},
      {"name":"f","type":{"type":"record","name":"In","namespace":"c",
        "fields":[{"name":"g","type":"a.b.E"},
                  {"name":"h","type":{"type":"enum","name":"E",
                                      "symbols":["y","z"]}},
                  {"name":"i","type":"E"}]}},
      {"name":"k","type":"E"}, {"name":"l","type":"c.E"}]})";
  EXPECT_EQ(
      Decode(
          {{"e", Type::kVarchar}, {"k", Type::kVarchar}, {"l", Type::kVarchar}},
          schema,
          AvroBytes().Long(0).Long(0).Long(1).Long(0).Long(0).Long(1).text()),
      "e='x' k='x' l='z'");
}

TEST(AvroDecoderTest, ReferencesDefineNames) {
  const SourcePlan source = Source({{"kind", Type::kVarchar}});
  WriterSchema writer;
  writer.text = R"({"type":"record","name":"r","namespace":"shop","fields":[
      {"name":"in","type":"In"},{"name":"kind","type":"other.Kind"}]})";
  writer.references = {
      {"other.Kind", R"({"type":"enum","name":"Kind","namespace":"other",
                         "symbols":["a","b"]})"},
      {"shop.In", R"({"type":"record","name":"shop.In","fields":[
                      {"name":"k","type":"other.Kind"}]})"}};
  const auto decoder = MakeAvroWriterDecoder(source, {true}, writer);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  EXPECT_EQ(DecodeToText(decoder->get(), source.columns,
                         AvroBytes().Long(0).Long(1).text()),
            "kind='b'");
}

TEST(AvroDecoderTest, BadBytesNameTheColumn) {
  const auto decode = [](Type type, absl::string_view avro,
                         const AvroBytes& bytes) {
    return Decode({{"f", type}}, Record(avro), bytes.text());
  };
  const std::string ends = "found the end of the record";
  EXPECT_EQ(decode(Type::kBoolean, R"("boolean")", AvroBytes().Byte(2)),
            "error: column \"f\": expected BOOLEAN, found byte 2");
  EXPECT_THAT(decode(Type::kBoolean, R"("boolean")", AvroBytes()),
              HasSubstr(ends));
  EXPECT_THAT(decode(Type::kDouble, R"("float")", AvroBytes().Raw("abc")),
              HasSubstr(ends));
  EXPECT_THAT(decode(Type::kDouble, R"("double")", AvroBytes().Raw("abc")),
              HasSubstr(ends));
  EXPECT_THAT(decode(Type::kVarchar, R"("string")", AvroBytes()),
              HasSubstr(ends));
  EXPECT_THAT(decode(Type::kVarchar, R"("string")", AvroBytes().Long(-1)),
              HasSubstr("found text of -1 bytes where 0 are left"));
  EXPECT_THAT(decode(Type::kVarchar, R"("string")",
                     AvroBytes().Long(int64_t{1} << 60).Raw("abc")),
              HasSubstr("bytes where 3 are left"));
  EXPECT_THAT(decode(Type::kVarchar, R"("string")", AvroBytes().Text("\xff")),
              HasSubstr("found invalid UTF-8"));
  EXPECT_THAT(
      decode(Type::kInt, R"("int")", AvroBytes().Long(int64_t{1} << 31)),
      HasSubstr("found number 2147483648 (out of range)"));
  EXPECT_THAT(decode(Type::kBigint, R"("long")",
                     AvroBytes().Raw(std::string(10, '\xff'))),
              HasSubstr("found no number"));
  EXPECT_THAT(decode(Type::kBigint, R"(["null","long"])", AvroBytes().Long(2)),
              HasSubstr("found union branch 2 of 2"));
  EXPECT_THAT(decode(Type::kBigint, R"(["null","long"])", AvroBytes().Long(-1)),
              HasSubstr("found union branch -1 of 2"));
  EXPECT_THAT(
      decode(Type::kVarchar, R"({"type":"enum","name":"e","symbols":["a"]})",
             AvroBytes().Long(1)),
      HasSubstr("found number 1 (out of range)"));
  EXPECT_THAT(decode(Type::kTimestamptz, R"("long")",
                     AvroBytes().Long(int64_t{1} << 62)),
              HasSubstr("(out of range)"));
  EXPECT_THAT(
      decode(Type::kTimestamptz, R"({"type":"int","logicalType":"date"})",
             AvroBytes().Long(5'000'000)),
      HasSubstr("found number 5000000 (out of range)"));
  EXPECT_EQ(decode(Type::kBigint, R"("long")", AvroBytes().Long(1).Raw("ab")),
            "error: malformed Avro: bytes behind the last field: 2 of 3");
}

TEST(AvroDecoderTest, BadBytesOfFieldsThatAreSkipped) {
  const auto skip = [](absl::string_view type, const AvroBytes& bytes) {
    return Decode(kX, Skipping(type), bytes.text());
  };
  const std::string array = R"({"type":"array","items":"string"})";
  EXPECT_EQ(skip(array, AvroBytes().Long(3).Text("")),
            "error: malformed Avro: field \"f\": more items than bytes are "
            "left");
  EXPECT_THAT(skip(array, AvroBytes().Long(1).Long(5)), HasSubstr("a length"));
  EXPECT_THAT(skip(array, AvroBytes().Long(-1).Long(9)), HasSubstr("a length"));
  EXPECT_THAT(skip(array, AvroBytes().Long(-1).Long(-9)),
              HasSubstr("a length"));
  EXPECT_THAT(skip(array, AvroBytes()), HasSubstr("a number"));
  EXPECT_THAT(skip(R"(["null","int"])", AvroBytes().Long(5)),
              HasSubstr("a union branch"));
  EXPECT_THAT(
      skip(R"({"type":"fixed","name":"md5","size":16})", AvroBytes().Long(5)),
      HasSubstr("field \"f\": the record ends"));
  EXPECT_THAT(skip(R"("string")", AvroBytes().Long(5)), HasSubstr("no text"));
  EXPECT_THAT(skip(R"("int")", AvroBytes()), HasSubstr("no number"));
}

TEST(AvroDecoderTest, ItemsWithoutBytesTakeNoTime) {
  const std::string schema = Skipping(R"({"type":"array","items":"null"})");
  EXPECT_EQ(
      Decode(
          kX, schema,
          AvroBytes().Long(INT64_MAX).Long(INT64_MAX).Long(0).Long(42).text()),
      "x=42");
}

TEST(AvroDecoderTest, ValuesNestToALimit) {
  const std::string schema = Skipping(
      R"({"type":"record","name":"list","fields":[
          {"name":"next","type":["null","list"]}]})");
  const auto nested = [&](int depth) {
    AvroBytes bytes;
    for (int i = 0; i < depth; ++i) bytes.Long(1);
    return Decode(kX, schema, bytes.Long(0).Long(42).text());
  };
  EXPECT_EQ(nested(40), "x=42");
  EXPECT_THAT(nested(10'000), HasSubstr("values nested too deeply"));
  // It can have no value.
  EXPECT_THAT(Decode(kX, Skipping("\"r\""), "abc"),
              HasSubstr("values nested too deeply"));
}

TEST(AvroDecoderTest, EveryCutIsNoticed) {
  const std::string whole = OrderBytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string text =
        Decode(OrderColumns(), kOrder, whole.substr(0, size));
    EXPECT_THAT(text, HasSubstr("error: column")) << size;
  }
}

class AvroFileTest : public testing::Test {
 protected:
  AvroFileTest()
      : dir_(std::filesystem::path(testing::TempDir()) /
             absl::StrCat("avro_decoder_test.", getpid())) {
    std::filesystem::create_directories(dir_);
  }
  ~AvroFileTest() override { std::filesystem::remove_all(dir_); }

  std::string Make(const SourcePlan& source, const std::vector<bool>& used) {
    const auto decoder = MakeAvroDecoder(source, used, dir_.string());
    if (!decoder.ok()) return std::string(decoder.status().message());
    return DecodeToText(decoder->get(), source.columns, OrderBytes());
  }

  std::filesystem::path dir_;
};

TEST_F(AvroFileTest, TheFilesSchemaHasEveryColumn) {
  SourcePlan source = Source({{"id", Type::kBigint}, {"nota", Type::kVarchar}});
  EXPECT_THAT(Make(source, {true, false}), HasSubstr("cannot read \""));
  std::ofstream(dir_ / "order.avsc") << kOrder;
  EXPECT_EQ(Make(source, {true, false}),
            "order.avsc: column \"nota\": record shop.Order has no such field, "
            "did you mean \"note\"?");
  source.columns[1] = {"note", Type::kInt};
  EXPECT_THAT(Make(source, {true, false}),
              HasSubstr("column \"note\": INT cannot hold field"));
  source.columns[1] = {"note", Type::kVarchar};
  EXPECT_EQ(Make(source, {true, false}), "id=4611686018427387904 note=NULL");
  // A column of INCLUDE is no field.
  source.columns.push_back({"kafka_key", Type::kVarchar});
  source.included = {{Metadata::kKey, ""}};
  EXPECT_EQ(Make(source, {true, true, false}),
            "id=4611686018427387904 note='né' kafka_key=NULL");
}

TEST_F(AvroFileTest, AHugeFileIsRefused) {
  std::ofstream(dir_ / "order.avsc") << std::string(kMaxSchemaBytes + 1, ' ');
  EXPECT_THAT(Make(Source({{"id", Type::kBigint}}), {true}),
              HasSubstr("is larger than"));
}

}  // namespace
}  // namespace tidegate
