#include "ingest/registry/framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/coding.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Framed(int32_t id, absl::string_view rest) {
  std::string bytes(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(id >> shift & 0xff));
  }
  bytes.append(rest.data(), rest.size());
  return bytes;
}

std::string Indexes(std::initializer_list<int64_t> numbers) {
  std::string bytes;
  for (const int64_t number : numbers) PutVarint64(&bytes, ZigZag(number));
  return bytes;
}

std::string ErrorOf(absl::string_view value, bool indexes) {
  Frame frame;
  absl::Status status = ParseFrame(value, &frame);
  if (status.ok() && indexes) status = ParseMessageIndexes(value, &frame);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

TEST(Framing, TheIdIsBigEndian) {
  Frame frame;
  ASSERT_TRUE(ParseFrame(Framed(0x01020304, "x"), &frame).ok());
  EXPECT_EQ(frame.schema_id, 0x01020304);
  EXPECT_EQ(frame.size, 5u);
  EXPECT_THAT(frame.message_indexes, IsEmpty());
  // A record of no bytes, as an empty Protobuf or Avro one is.
  ASSERT_TRUE(ParseFrame(Framed(0x7fffffff, ""), &frame).ok());
  EXPECT_EQ(frame.schema_id, 0x7fffffff);
}

TEST(Framing, WhatIsNoFrameIsSaid) {
  EXPECT_THAT(ErrorOf("", false), HasSubstr("the record is empty"));
  EXPECT_THAT(ErrorOf(R"({"a":1})", false),
              HasSubstr("begins with byte 0x7b, not 0x00"));
  EXPECT_THAT(ErrorOf(Framed(1, "").substr(0, 4), false),
              HasSubstr("ends within the schema's id: bytes=4"));
  EXPECT_THAT(ErrorOf(std::string("\0\xff\xff\xff\xff", 5), false),
              HasSubstr("no schema has the id 4294967295"));
}

TEST(Framing, MessageIndexesInAllTheirForms) {
  const struct {
    std::string bytes;
    std::vector<int> path;
  } cases[] = {
      {std::string(1, '\0'), {0}},  // the short form
      {Indexes({1, 0}), {0}},       // the same at length
      {Indexes({1, 3}), {3}},       {Indexes({3, 2, 0, 1}), {2, 0, 1}},
      {Indexes({1, 1000}), {1000}},  // of two bytes
  };
  for (const auto& c : cases) {
    const std::string value = Framed(7, c.bytes + "record");
    Frame frame;
    ASSERT_TRUE(ParseFrame(value, &frame).ok());
    ASSERT_TRUE(ParseMessageIndexes(value, &frame).ok());
    EXPECT_EQ(frame.message_indexes, c.path);
    EXPECT_EQ(value.substr(frame.size), "record");
  }
}

TEST(Framing, BadMessageIndexesAreSaid) {
  EXPECT_THAT(ErrorOf(Framed(7, ""), true),
              HasSubstr("schema 7: no number of message indexes follows"));
  EXPECT_THAT(ErrorOf(Framed(7, Indexes({-1})), true),
              HasSubstr("no number of message indexes"));
  EXPECT_THAT(ErrorOf(Framed(7, Indexes({kMaxMessageIndexes + 1})), true),
              HasSubstr("no number of message indexes"));
  EXPECT_THAT(ErrorOf(Framed(7, Indexes({2, 1})), true),
              HasSubstr("ends within its message indexes, or one is none: "
                        "expected=2 found=1"));
  EXPECT_THAT(ErrorOf(Framed(7, Indexes({1, -4})), true),
              HasSubstr("expected=1 found=0"));
  EXPECT_THAT(ErrorOf(Framed(7, "\xff"), true),
              HasSubstr("no number of message indexes"));
}

}  // namespace
}  // namespace tidegate
