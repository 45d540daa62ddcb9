#include "ingest/decode/mixed_decoder.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ingest/decode/test_rows.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

// Says who it is.
class NamedDecoder : public Decoder {
 public:
  explicit NamedDecoder(std::string name) : name_(std::move(name)) {}
  absl::Status Decode(absl::string_view /*value*/, MutableRow row) override {
    row[0] = Datum::Text(name_);
    return absl::OkStatus();
  }

 private:
  const std::string name_;
};

// `which`: letters of framed, json, binary.
std::string TakenBy(const std::string& which, absl::string_view value) {
  LayoutDecoders decoders;
  const auto make = [&](char letter, const char* name) {
    return which.find(letter) == std::string::npos
               ? nullptr
               : std::make_unique<NamedDecoder>(name);
  };
  decoders.framed = make('f', "framed");
  decoders.json = make('j', "json");
  decoders.binary = make('b', "binary");
  const auto mixed = MakeMixedDecoder(std::move(decoders));
  return DecodeToText(mixed.get(), {{"by", Type::kVarchar}}, value);
}

TEST(MixedDecoderTest, TheFirstByteTells) {
  const absl::string_view frame("\0\0\0\0\1\0", 6);
  const struct {
    const char* decoders;
    absl::string_view value;
    const char* taken_by;
  } kCases[] = {
      {"fj", frame, "framed"},       {"fj", "{}", "json"},
      {"fj", " \n{}", "json"},       {"fj", "", "json"},
      {"fj", "x", "json"},           {"jb", "{}", "json"},
      {"jb", "\x0a\x01{", "binary"}, {"jb", "", "binary"},
      {"jb", frame, "binary"},       {"fjb", frame, "framed"},
      {"fjb", "{", "json"},          {"fjb", "\x0a", "binary"},
      {"f", "{}", "framed"},         {"f", "", "framed"},
      {"j", frame, "json"},          {"b", "{", "binary"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(TakenBy(c.decoders, c.value),
              absl::StrCat("by='", c.taken_by, "'"))
        << c.decoders;
  }
}

TEST(MixedDecoderTest, JsonAndProtobufOnOneTopic) {
  const auto dir = std::filesystem::path(testing::TempDir());
  const std::string name = absl::StrCat("mixed_", getpid(), ".proto");
  std::ofstream(dir / name) << R"(syntax = "proto3";
      message M { string a = 1; int64 b = 2; })";
  SourcePlan source;
  source.name = "s";
  source.columns = {{"a", Type::kVarchar}, {"b", Type::kBigint}};
  source.encodings = {
      Encoding(),
      {.format = Format::kProtobuf, .proto_message = "M", .proto_file = name}};
  const auto decoder = MakeDecoder(source, {true, true}, dir.string());
  std::filesystem::remove(dir / name);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 1000; ++i) {
    const std::string a(random() % 200, 'x');
    const int64_t b = static_cast<int64_t>(random() % 1'000'000);
    std::string record;
    if (random() % 2 == 0) {
      record = absl::StrCat(R"({"b":)", b, R"(,"a":")", a, "\"}");
    } else {
      PutTag(&record, 1, WireType::kLengthDelimited);
      PutLengthPrefixed(&record, a);
      PutTag(&record, 2, WireType::kVarint);
      PutVarint64(&record, static_cast<uint64_t>(b));
    }
    ASSERT_EQ(DecodeToText(decoder->get(), source.columns, record),
              absl::StrCat("a='", a, "' b=", b))
        << "seed=" << seed;
  }
  EXPECT_THAT(DecodeToText(decoder->get(), source.columns, "{\"a\":"),
              HasSubstr("malformed JSON"));
  EXPECT_THAT(DecodeToText(decoder->get(), source.columns, "[]"),
              HasSubstr("malformed Protobuf"));
}

}  // namespace
}  // namespace tidegate
