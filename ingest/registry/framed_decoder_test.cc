#include "ingest/registry/framed_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/coding.h"
#include "ingest/decode/test_rows.h"
#include "ingest/registry/fake_registries.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

constexpr char kOrder[] = R"(syntax = "proto3"; package shop;
message Other { int64 amount = 1; }
message Order { string id = 1; int64 amount = 2; })";
constexpr char kRenumbered[] = R"(syntax = "proto3"; package shop;
message Order { string id = 2; int64 amount = 1; })";
constexpr char kDoesNotFit[] = R"(syntax = "proto3"; package shop;
message Order { string amount = 1; })";

// The second message of kOrder: a count of 1, and 1.
constexpr char kSecond[] = "\x02\x02";

std::string Amount(int field, uint64_t amount) {
  std::string bytes;
  PutTag(&bytes, static_cast<uint32_t>(field), WireType::kVarint);
  PutVarint64(&bytes, amount);
  return bytes;
}

class FramedDecoderTest : public ::testing::Test {
 protected:
  FramedDecoderTest() {
    source_.name = "orders";
    source_.columns = {{"id", Type::kVarchar}, {"amount", Type::kBigint}};
    AddEncoding(Format::kProtobuf);
  }
  void AddEncoding(Format format) {
    Encoding encoding;
    encoding.format = format;
    encoding.schema_registry = "http://registry";
    if (source_.encodings.size() == 1 &&
        source_.encodings[0].schema_registry.empty()) {
      source_.encodings.clear();
    }
    source_.encodings.push_back(encoding);
  }
  void Make(SchemaRegistries* registries) {
    auto made = FramedDecoder::Create(source_, {true, true}, registries,
                                      [this] { ++woken_; });
    ASSERT_TRUE(made.ok()) << made.status();
    decoder_ = *std::move(made);
  }
  std::string Read(absl::string_view value) {
    if (decoder_ == nullptr) Make(&registries_);
    return DecodeToText(decoder_.get(), source_.columns, value);
  }
  absl::StatusCode Code(absl::string_view value) {
    if (decoder_ == nullptr) Make(&registries_);
    std::vector<Datum> row(source_.columns.size());
    return decoder_->Decode(value, absl::MakeSpan(row)).code();
  }

  SourcePlan source_;
  FakeRegistries registries_;
  int woken_ = 0;
  std::unique_ptr<FramedDecoder> decoder_;
};

TEST_F(FramedDecoderTest, EachRecordIsReadByItsOwnSchema) {
  registries_.AddProtobuf(1, kOrder);
  registries_.AddProtobuf(2, kRenumbered);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Read(FramedRecord(1, kSecond, Amount(2, 5))), "id='' amount=5");
    EXPECT_EQ(Read(FramedRecord(2, kFirstMessage, Amount(1, 6))),
              "id='' amount=6");
    EXPECT_EQ(Read(FramedRecord(1, kFirstMessage, Amount(1, 7))),
              "id=NULL amount=7");
  }
  EXPECT_EQ(registries_.taken(), 3);
}

TEST_F(FramedDecoderTest, WhatIsNotThereYetIsUnavailable) {
  const std::string record = FramedRecord(1, kSecond, Amount(2, 5));
  EXPECT_EQ(Code(record), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Code(record), absl::StatusCode::kUnavailable);
  EXPECT_EQ(woken_, 0);
  registries_.AddProtobuf(1, kOrder);
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(Read(record), "id='' amount=5");
}

TEST_F(FramedDecoderTest, WhatDoesNotFitIsAskedForOnce) {
  registries_.AddProtobuf(1, kOrder);
  registries_.AddProtobuf(3, kDoesNotFit);
  const std::string record = FramedRecord(3, kFirstMessage, "");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Code(record), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(Read(record), HasSubstr("schema id=3: column \"amount\""));
    EXPECT_EQ(Read(FramedRecord(1, kSecond, Amount(2, 5))), "id='' amount=5");
  }
  EXPECT_EQ(registries_.taken(), 2);
}

TEST_F(FramedDecoderTest, WhatIsNotInTheRegistryIsAskedForAgain) {
  registries_.SetMissing(1);
  const std::string record = FramedRecord(1, kSecond, Amount(2, 5));
  EXPECT_EQ(Code(record), absl::StatusCode::kNotFound);
  registries_.AddProtobuf(1, kOrder);
  EXPECT_EQ(Read(record), "id='' amount=5");
}

TEST_F(FramedDecoderTest, BadFramesAndBadRecords) {
  registries_.AddProtobuf(1, kOrder);
  EXPECT_EQ(Code(""), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Read("{}"), HasSubstr("begins with byte 0x7b"));
  EXPECT_THAT(Read(FramedRecord(1, "", "")),
              HasSubstr("no number of message indexes"));
  EXPECT_THAT(Read(FramedRecord(1, kSecond, "\xff")),
              HasSubstr("malformed Protobuf"));
  // And after them all is as before.
  EXPECT_EQ(Read(FramedRecord(1, kSecond, Amount(2, 5))), "id='' amount=5");
}

TEST_F(FramedDecoderTest, JsonAloneNeedsNoRegistry) {
  source_.encodings.clear();
  AddEncoding(Format::kJson);
  Make(nullptr);
  EXPECT_EQ(Read(FramedRecord(99, "", R"({"id":"a","amount":5})")),
            "id='a' amount=5");
  EXPECT_EQ(Code(FramedRecord(99, "", "{")),
            absl::StatusCode::kInvalidArgument);
  source_.encodings.clear();
  AddEncoding(Format::kAvro);
  EXPECT_TRUE(absl::IsInvalidArgument(
      FramedDecoder::Create(source_, {true, true}, nullptr, [] {}).status()));
}

TEST_F(FramedDecoderTest, FramedJsonBesideProtobuf) {
  source_.encodings.clear();
  AddEncoding(Format::kJson);
  AddEncoding(Format::kProtobuf);
  registries_.AddProtobuf(1, kOrder);
  WriterSchema json;
  json.id = 2;
  json.type = WriterSchema::Type::kJson;
  registries_.Add(json);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Read(FramedRecord(2, "", R"({"id":"a","amount":5})")),
              "id='a' amount=5");
    EXPECT_EQ(Read(FramedRecord(1, kSecond, Amount(2, 6))), "id='' amount=6");
  }
  // What begins as JSON and is not, by its schema.
  EXPECT_THAT(Read(FramedRecord(1, "", R"({"id":"a"})")),
              HasSubstr("schema id=1: the record names no message"));
}

TEST_F(FramedDecoderTest, TheDecodersUsedLeastRecentlyGo) {
  const auto n = static_cast<int32_t>(kMaxWriterDecoders);
  for (int32_t id = 0; id <= n; ++id) registries_.AddProtobuf(id, kRenumbered);
  const auto read = [&](int32_t id) {
    EXPECT_EQ(Read(FramedRecord(id, kFirstMessage, Amount(1, 6))),
              "id='' amount=6");
  };
  for (int32_t id = 0; id < n; ++id) read(id);
  read(0);
  read(n);
  const int taken = registries_.taken();
  EXPECT_EQ(taken, n + 1);
  read(0);
  read(n);
  EXPECT_EQ(registries_.taken(), taken);
  read(1);
  EXPECT_EQ(registries_.taken(), taken + 1);
}

TEST_F(FramedDecoderTest, WhatIsStillNeededStays) {
  const auto n = static_cast<int32_t>(kMaxWriterDecoders);
  for (int32_t id = 0; id <= 2 * n; ++id) {
    registries_.AddProtobuf(id, kRenumbered);
  }
  const auto read = [&](int32_t id) {
    EXPECT_EQ(Read(FramedRecord(id, kFirstMessage, Amount(1, 6))),
              "id='' amount=6");
  };
  read(0);
  decoder_->set_watermark(EventTime(5));
  decoder_->KeepUntil(EventTime(5));
  for (int32_t id = 1; id <= n; ++id) read(id);
  int taken = registries_.taken();
  read(0);
  EXPECT_EQ(registries_.taken(), taken);
  // The watermark has passed it.
  decoder_->set_watermark(EventTime(6));
  for (int32_t id = n + 1; id <= 2 * n; ++id) read(id);
  taken = registries_.taken();
  read(0);
  EXPECT_EQ(registries_.taken(), taken + 1);
}

}  // namespace
}  // namespace tidegate
