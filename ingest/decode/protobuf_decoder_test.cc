#include "ingest/decode/protobuf_decoder.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ingest/decode/protobuf_schema.h"
#include "ingest/decode/test_rows.h"

namespace tidegate {
namespace {

namespace pb = google::protobuf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kProto3[] = R"(syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "kinds.proto";
message Order {
  bool flag = 1;
  int32 i32 = 2;
  sint32 s32 = 3;
  uint32 u32 = 4;
  fixed32 f32 = 5;
  sfixed32 sf32 = 6;
  int64 i64 = 7;
  sint64 s64 = 8;
  uint64 u64 = 9;
  fixed64 f64 = 10;
  sfixed64 sf64 = 11;
  float real = 12;
  double amount = 13;
  string region = 14;
  Kind kind = 15;
  Kind kind_number = 16;
  google.protobuf.Timestamp at = 200;
  int64 at_millis = 536870911;
  optional int64 maybe = 19;
  oneof choice {
    string word = 20;
    int64 number = 21;
    google.protobuf.Timestamp when = 22;
    bool unread = 23;
  }
  repeated int64 many = 24;
  bytes blob = 25;
  map<string, int64> counts = 26;
  message Inner { int64 x = 1; }
  Inner inner = 27;
}
)";
constexpr char kKinds[] = R"(syntax = "proto3";
package shop;
enum Kind { KIND_UNKNOWN = 0; RIDE = 1; DELIVERY = -5; }
)";
constexpr char kProto2[] = R"(syntax = "proto2";
package old;
message Event {
  required int64 id = 1;
  optional int32 n = 2 [default = 7];
  optional string s = 3 [default = "dflt"];
  optional string t = 4;
  enum Color { RED = 3; BLUE = 4; CYAN = 4; option allow_alias = true; }
  optional Color color = 5 [default = BLUE];
  optional Color plain = 6;
  optional group G = 7 { optional int64 y = 1; }
}
)";

std::vector<Column> OrderColumns() {
  return {{"flag", Type::kBoolean},   {"i32", Type::kInt},
          {"s32", Type::kInt},        {"u32", Type::kBigint},
          {"f32", Type::kBigint},     {"sf32", Type::kBigint},
          {"i64", Type::kBigint},     {"s64", Type::kBigint},
          {"u64", Type::kBigint},     {"f64", Type::kBigint},
          {"sf64", Type::kBigint},    {"real", Type::kDouble},
          {"amount", Type::kDouble},  {"region", Type::kVarchar},
          {"kind", Type::kVarchar},   {"kind_number", Type::kBigint},
          {"at", Type::kTimestamptz}, {"at_millis", Type::kTimestamptz},
          {"maybe", Type::kBigint},   {"word", Type::kVarchar},
          {"number", Type::kBigint},  {"when", Type::kTimestamptz}};
}

class ProtobufDecoderTest : public testing::Test {
 protected:
  ProtobufDecoderTest() {
    const auto* const info =
        testing::UnitTest::GetInstance()->current_test_info();
    dir_ = std::filesystem::path(testing::TempDir()) /
           absl::StrCat("protobuf_decoder_test.", getpid(), ".", info->name());
    std::filesystem::create_directories(dir_ / "sub");
    Write("order.proto", kProto3);
    Write("kinds.proto", kKinds);
    Write("sub/old.proto", kProto2);
  }
  ~ProtobufDecoderTest() override { std::filesystem::remove_all(dir_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name, std::ios::binary) << text;
  }

  SourcePlan Source(const std::vector<Column>& columns,
                    const std::string& message = "shop.Order",
                    const std::string& file = "order.proto") {
    SourcePlan source;
    source.name = "orders";
    source.columns = columns;
    source.encodings = {{.format = Format::kProtobuf,
                         .proto_message = message,
                         .proto_file = file}};
    return source;
  }

  absl::StatusOr<std::unique_ptr<Decoder>> Make(const SourcePlan& source) {
    return MakeProtobufDecoder(
        source, std::vector<bool>(source.columns.size(), true), dir_.string());
  }

  std::string MakeError(const SourcePlan& source) {
    const auto decoder = Make(source);
    return decoder.ok() ? "ok" : std::string(decoder.status().message());
  }

  std::filesystem::path dir_;
};

TEST_F(ProtobufDecoderTest, EmptyMessageHasDefaultsAndNulls) {
  const SourcePlan source = Source(OrderColumns());
  const auto decoder = Make(source);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  EXPECT_EQ(DecodeToText(decoder->get(), source.columns, ""),
            "flag=false i32=0 s32=0 u32=0 f32=0 sf32=0 i64=0 s64=0 u64=0 f64=0 "
            "sf64=0 real=0 amount=0 region='' kind='KIND_UNKNOWN' "
            "kind_number=0 at=NULL at_millis=0 maybe=NULL word=NULL "
            "number=NULL when=NULL");
}

TEST_F(ProtobufDecoderTest, Proto2DefaultsRequiredAndClosedEnums) {
  const SourcePlan source = Source({{"id", Type::kBigint},
                                    {"n", Type::kInt},
                                    {"s", Type::kVarchar},
                                    {"t", Type::kVarchar},
                                    {"color", Type::kVarchar},
                                    {"plain", Type::kInt}},
                                   "old.Event", "sub/old.proto");
  const auto decoder = Make(source);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  const auto decode = [&](absl::string_view bytes) {
    return DecodeToText(decoder->get(), source.columns, bytes);
  };
  EXPECT_EQ(decode("\x08\x05"),
            "id=5 n=7 s='dflt' t=NULL color='BLUE' plain=NULL");
  EXPECT_EQ(decode("\x08\x05\x28\x03\x30\x03"),
            "id=5 n=7 s='dflt' t=NULL color='RED' plain=3");
  // 99 is no Color: as if the field were not there.
  EXPECT_EQ(decode("\x08\x05\x28\x03\x28\x63\x30\x63"),
            "id=5 n=7 s='dflt' t=NULL color='RED' plain=NULL");
  EXPECT_THAT(decode("\x10\x01"),
              HasSubstr("column \"id\": expected BIGINT, found no value for a "
                        "required field"));
  // A group is skipped, with a field in it that has a column's number.
  EXPECT_EQ(decode("\x08\x05\x3b\x10\x01\x3c"),
            "id=5 n=7 s='dflt' t=NULL color='BLUE' plain=NULL");
}

TEST_F(ProtobufDecoderTest, RefusesMalformedWire) {
  const SourcePlan source =
      Source({{"i64", Type::kBigint}, {"region", Type::kVarchar}});
  const auto decoder = Make(source);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  std::string deep;
  for (int i = 0; i < 200'000; ++i) PutTag(&deep, 40, static_cast<WireType>(3));
  const std::pair<std::string, const char*> cases[] = {
      {"\x38", "malformed"},      // no value
      {"\x38\x80", "malformed"},  // half a varint
      {"\x38" + std::string(11, '\x80'), "malformed"},
      {"\x72\x05"
       "abc",
       "malformed"},                              // length beyond the end
      {std::string("\x00\x01", 2), "zero byte"},  // field 0
      {"\x3e\x01", "malformed"},                  // wire type 6
      {"\x3c", "malformed"},                      // end of no group
      {"\x3b\x08\x01", "malformed"},              // a group without end
      {"\x3b\x44", "malformed"},                  // another group's end
      {deep, "malformed"},
      {"\x72\x01\xff", "column \"region\": expected VARCHAR, found invalid"},
      {"{\"i64\":1}", "malformed"},
  };
  for (const auto& [bytes, expected] : cases) {
    const std::string text =
        DecodeToText(decoder->get(), source.columns, bytes);
    EXPECT_THAT(text, StartsWith("error: "));
    EXPECT_THAT(text, HasSubstr(expected));
  }
  // A wire type that is not the field's own counts as unknown.
  EXPECT_EQ(DecodeToText(decoder->get(), source.columns,
                         absl::string_view("\x39\1\0\0\0\0\0\0\0\x38\x02", 11)),
            "i64=2 region=''");
}

TEST_F(ProtobufDecoderTest, ChecksRanges) {
  const SourcePlan source = Source({{"u32", Type::kInt},
                                    {"u64", Type::kBigint},
                                    {"at", Type::kTimestamptz},
                                    {"at_millis", Type::kTimestamptz}});
  const auto decoder = Make(source);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  const auto decode = [&](absl::string_view bytes) {
    return DecodeToText(decoder->get(), source.columns, bytes);
  };
  EXPECT_THAT(decode("\x20\xff\xff\xff\xff\x0f"),
              HasSubstr("\"u32\": expected INT, found number 4294967295 (out"));
  EXPECT_THAT(decode("\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
              HasSubstr("\"u64\": expected BIGINT, found number "
                        "18446744073709551615 (out of range)"));
  std::string at;
  PutTag(&at, 200, WireType::kLengthDelimited);
  PutLengthPrefixed(&at, "\x10\x80\x94\xeb\xdc\x03");  // 10^9 nanoseconds
  EXPECT_THAT(decode(at), HasSubstr("\"at\": expected TIMESTAMPTZ, found 0 s"));
  std::string millis;
  PutTag(&millis, 536870911, WireType::kVarint);
  PutVarint64(&millis, uint64_t{1} << 62);
  EXPECT_THAT(decode(millis), HasSubstr("\"at_millis\": expected TIMESTAMPTZ"));
}

TEST_F(ProtobufDecoderTest, RefusesColumnsThatDoNotFit) {
  EXPECT_EQ(MakeError(Source({{"amout", Type::kDouble}})),
            "column \"amout\": message shop.Order has no such field, did you "
            "mean \"amount\"?");
  const struct {
    const char* column;
    Type type;
    const char* field_type;
  } cases[] = {
      {"many", Type::kBigint, "repeated int64"},
      {"counts", Type::kBigint, "map"},
      {"blob", Type::kVarchar, "bytes"},
      {"inner", Type::kBigint, "message shop.Order.Inner"},
      {"i64", Type::kInt, "int64"},
      {"i64", Type::kVarchar, "int64"},
      {"amount", Type::kBigint, "double"},
      {"region", Type::kTimestamptz, "string"},
      {"at", Type::kBigint, "message google.protobuf.Timestamp"},
      {"kind", Type::kDouble, "enum shop.Kind"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(MakeError(Source({{c.column, c.type}})),
              absl::StrCat("column \"", c.column, "\": ", TypeName(c.type),
                           " cannot hold field shop.Order.", c.column,
                           " of type ", c.field_type));
  }
  EXPECT_THAT(MakeError(Source({{"x", Type::kInt}, {"blob", Type::kInt}})),
              HasSubstr("; column \"blob\""));
  EXPECT_THAT(
      MakeError(Source({{"g", Type::kBigint}}, "old.Event", "sub/old.proto")),
      HasSubstr("cannot hold field old.Event.g of type group"));
}

TEST_F(ProtobufDecoderTest, ExplainsWhatIsWrongWithTheSchema) {
  EXPECT_THAT(MakeError(Source({}, "shop.Ordr")),
              HasSubstr("no message \"shop.Ordr\" in \"order.proto\", did you "
                        "mean \"shop.Order\"?"));
  EXPECT_THAT(MakeError(Source({}, "Order")),
              HasSubstr("did you mean \"shop.Order\"?"));
  EXPECT_THAT(MakeError(Source({}, "a.B", "nowhere.proto")),
              HasSubstr("cannot read \""));
  EXPECT_THAT(MakeError(Source({}, "a.B", "sub")), HasSubstr("cannot read \""));
  Write("broken.proto", "syntax = \"proto3\";\nmessage A {\n  int64 a = x;\n}");
  EXPECT_THAT(MakeError(Source({}, "A", "broken.proto")),
              HasSubstr("broken.proto:3:13: "));
  Write("missing.proto",
        "syntax = \"proto3\";\nimport \"gone.proto\";\nmessage A {}\n");
  EXPECT_THAT(MakeError(Source({}, "A", "missing.proto")),
              HasSubstr("gone.proto"));
  Write("type.proto", "syntax = \"proto3\";\nmessage A {\n  Nope a = 1;\n}\n");
  EXPECT_THAT(MakeError(Source({}, "A", "type.proto")),
              HasSubstr("type.proto:3:3: \"Nope\" is not defined"));
  Write("order.txt", kProto3);
  EXPECT_THAT(MakeError(Source({}, "A", "order.txt")),
              HasSubstr("neither a .proto nor a descriptor set"));
  Write("bad.desc", "no descriptors");
  EXPECT_THAT(MakeError(Source({}, "A", "bad.desc")),
              HasSubstr("not a FileDescriptorSet"));
}

TEST_F(ProtobufDecoderTest, ReadsDescriptorSets) {
  const auto schema =
      ProtobufSchema::Load("order.proto", "shop.Order", dir_.string());
  ASSERT_TRUE(schema.ok()) << schema.status();
  pb::FileDescriptorSet files;  // not in the order of their dependencies
  (*schema)->message()->file()->CopyTo(files.add_file());
  (*schema)->message()->file()->dependency(1)->CopyTo(files.add_file());
  for (const char* name : {"order.desc", "order.pb", "order.binpb"}) {
    Write(name, files.SerializeAsString());
    const SourcePlan source = Source(OrderColumns(), "shop.Order", name);
    const auto decoder = Make(source);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    EXPECT_THAT(DecodeToText(decoder->get(), source.columns, "\x10\x09"),
                HasSubstr(" i32=9 "));
  }
  files.mutable_file()->DeleteSubrange(1, 1);
  Write("half.desc", files.SerializeAsString());
  EXPECT_THAT(MakeError(Source({}, "shop.Order", "half.desc")),
              HasSubstr("does not hold together at \"order.proto\""));
}

// What reflection says the columns of `message` are.
std::string Model(const pb::Message& message,
                  const std::vector<Column>& columns) {
  const pb::Reflection& reflection = *message.GetReflection();
  std::string text;
  for (const Column& column : columns) {
    const auto* const field =
        message.GetDescriptor()->FindFieldByName(column.name);
    std::string scratch;
    Datum datum;
    if (!field->has_presence() || reflection.HasField(message, field)) {
      switch (field->cpp_type()) {
        case pb::FieldDescriptor::CPPTYPE_BOOL:
          datum = Datum::Bool(reflection.GetBool(message, field));
          break;
        case pb::FieldDescriptor::CPPTYPE_INT32:
          datum = Datum::Int(reflection.GetInt32(message, field));
          break;
        case pb::FieldDescriptor::CPPTYPE_UINT32:
          datum = Datum::Int(reflection.GetUInt32(message, field));
          break;
        case pb::FieldDescriptor::CPPTYPE_INT64:
          datum = Datum::Int(reflection.GetInt64(message, field) *
                             (column.type == Type::kTimestamptz ? 1000 : 1));
          break;
        case pb::FieldDescriptor::CPPTYPE_UINT64:
          datum = Datum::Int(reflection.GetUInt64(message, field));
          break;
        case pb::FieldDescriptor::CPPTYPE_FLOAT:
          datum = Datum::Double(reflection.GetFloat(message, field));
          break;
        case pb::FieldDescriptor::CPPTYPE_DOUBLE:
          datum = Datum::Double(reflection.GetDouble(message, field));
          break;
        case pb::FieldDescriptor::CPPTYPE_STRING:
          scratch = reflection.GetString(message, field);
          datum = Datum::Text(scratch);
          break;
        case pb::FieldDescriptor::CPPTYPE_ENUM: {
          const int number = reflection.GetEnumValue(message, field);
          const auto* const value =
              field->enum_type()->FindValueByNumber(number);
          scratch = value == nullptr ? absl::StrCat(number) : value->name();
          datum = column.type == Type::kVarchar ? Datum::Text(scratch)
                                                : Datum::Int(number);
          break;
        }
        case pb::FieldDescriptor::CPPTYPE_MESSAGE: {
          const pb::Message& time = reflection.GetMessage(message, field);
          const pb::Descriptor& type = *time.GetDescriptor();
          datum = Datum::Int(
              time.GetReflection()->GetInt64(time, type.field(0)) * 1000000 +
              time.GetReflection()->GetInt32(time, type.field(1)) / 1000);
          break;
        }
      }
    }
    absl::StrAppend(&text, text.empty() ? "" : " ", column.name, "=",
                    ShowDatum(column.type, datum));
  }
  return text;
}

// One random field, of any kind the schema has, in wire format.
std::string RandomField(const pb::Descriptor& type, std::mt19937_64& random) {
  const auto pick = [&](uint64_t n) { return random() % n; };
  const int number = type.field(pick(type.field_count()))->number();
  const auto* const field = type.FindFieldByNumber(number);
  const uint64_t bits = random() >> (1 + pick(63));
  std::string out;
  if (pick(10) == 0) {  // unknown, a group too
    PutTag(&out, 77, static_cast<WireType>(3));
    out += pick(2) == 0 ? std::string("\x08\x01") : "";
    PutTag(&out, 77, static_cast<WireType>(4));
    return out;
  }
  switch (field->type()) {
    case pb::FieldDescriptor::TYPE_DOUBLE:
    case pb::FieldDescriptor::TYPE_FIXED64:
    case pb::FieldDescriptor::TYPE_SFIXED64:
      PutTag(&out, number, WireType::kFixed64);
      PutFixed64LittleEndian(&out, bits);
      return out;
    case pb::FieldDescriptor::TYPE_FLOAT:
    case pb::FieldDescriptor::TYPE_FIXED32:
    case pb::FieldDescriptor::TYPE_SFIXED32:
      PutTag(&out, number, WireType::kFixed32);
      PutFixed32LittleEndian(&out, static_cast<uint32_t>(bits) >> pick(32));
      return out;
    case pb::FieldDescriptor::TYPE_STRING:
    case pb::FieldDescriptor::TYPE_BYTES:
      PutTag(&out, number, WireType::kLengthDelimited);
      PutLengthPrefixed(&out, pick(2) == 0 ? "é€😀" : std::string(pick(9), 'a'));
      return out;
    case pb::FieldDescriptor::TYPE_MESSAGE: {
      std::string inner;
      if (field->message_type()->full_name() == "google.protobuf.Timestamp") {
        if (pick(2) == 0) {
          PutTag(&inner, 1, WireType::kVarint);
          PutVarint64(&inner, bits % 200'000'000'000);
        }
        if (pick(2) == 0) {
          PutTag(&inner, 2, WireType::kVarint);
          PutVarint64(&inner, bits % 1'000'000'000);
        }
      }
      PutTag(&out, number, WireType::kLengthDelimited);
      PutLengthPrefixed(&out, inner);
      return out;
    }
    default:
      PutTag(&out, number, WireType::kVarint);
      PutVarint64(&out, field->name() == "at_millis" ? bits % 100'000'000'000
                        : pick(4) == 0               ? pick(3)
                                                     : bits);
      return out;
  }
}

TEST_F(ProtobufDecoderTest, EqualsReflectionOnRandomMessages) {
  const uint64_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const SourcePlan source = Source(OrderColumns());
  const auto decoder = Make(source);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  const auto schema =
      ProtobufSchema::Load("order.proto", "shop.Order", dir_.string());
  ASSERT_TRUE(schema.ok());
  pb::DynamicMessageFactory factory;
  const std::unique_ptr<pb::Message> message(
      factory.GetPrototype((*schema)->message())->New());
  int both = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string bytes;
    for (int n = random() % 30; n > 0; --n) {
      bytes += RandomField(*(*schema)->message(), random);
    }
    ASSERT_TRUE(message->ParseFromString(bytes)) << "round " << round;
    ASSERT_EQ(DecodeToText(decoder->get(), source.columns, bytes),
              Model(*message, source.columns))
        << "round " << round;
    if (bytes.empty()) continue;
    // Damaged: where both still read it, they read the same.
    std::string damaged = bytes.substr(0, 1 + random() % bytes.size());
    damaged[random() % damaged.size()] = static_cast<char>(random());
    const std::string text =
        DecodeToText(decoder->get(), source.columns, damaged);
    if (message->ParseFromString(damaged) && text.substr(0, 6) != "error:") {
      ++both;
      ASSERT_EQ(text, Model(*message, source.columns)) << "round " << round;
    }
  }
  EXPECT_GT(both, 100);
}

TEST_F(ProtobufDecoderTest, SurvivesRandomBytes) {
  const uint64_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  const SourcePlan source = Source(OrderColumns());
  const auto decoder = Make(source);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  int errors = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string text =
        DecodeToText(decoder->get(), source.columns, bytes);
    errors += text.substr(0, 6) == "error:";
  }
  EXPECT_GT(errors, 10000);
}

}  // namespace
}  // namespace tidegate
