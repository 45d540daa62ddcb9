#include "base/coding.h"

#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

std::vector<uint64_t> Samples() {
  std::vector<uint64_t> values = {
      0, 1, 0x7f, 0x80, 0x3fff, 0x4000, std::numeric_limits<uint64_t>::max()};
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  for (int i = 0; i < 1000; ++i) values.push_back(random() >> (i % 64));
  return values;
}

TEST(CodingTest, IntegersReadBack) {
  std::string bytes;
  const std::vector<uint64_t> values = Samples();
  for (const uint64_t v : values) {
    PutVarint64(&bytes, v);
    PutFixed64BigEndian(&bytes, v);
    PutFixed64LittleEndian(&bytes, v);
    PutFixed32LittleEndian(&bytes, static_cast<uint32_t>(v));
  }
  absl::string_view in = bytes;
  for (const uint64_t v : values) {
    uint64_t read = 0;
    uint32_t read32 = 0;
    ASSERT_TRUE(GetVarint64(&in, &read));
    EXPECT_EQ(read, v);
    ASSERT_TRUE(GetFixed64BigEndian(&in, &read));
    EXPECT_EQ(read, v);
    ASSERT_TRUE(GetFixed64LittleEndian(&in, &read));
    EXPECT_EQ(read, v);
    ASSERT_TRUE(GetFixed32LittleEndian(&in, &read32));
    EXPECT_EQ(read32, static_cast<uint32_t>(v));
  }
  EXPECT_TRUE(in.empty());
}

TEST(CodingTest, BigEndianOrderIsNumericOrder) {
  std::string small, big;
  PutFixed64BigEndian(&small, 255);
  PutFixed64BigEndian(&big, 256);
  EXPECT_LT(small, big);
}

TEST(CodingTest, VarintBytesAreProtobufs) {
  std::string bytes;
  PutVarint64(&bytes, 300);
  EXPECT_EQ(bytes, "\xac\x02");
}

TEST(CodingTest, ShortAndMalformedBytesAreRefused) {
  uint64_t value;
  uint32_t value32;
  absl::string_view text;
  const std::string too_long(11, '\x80');
  for (absl::string_view bad :
       {absl::string_view(""), absl::string_view("\x80"),
        absl::string_view(too_long),
        absl::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")}) {
    absl::string_view in = bad;
    EXPECT_FALSE(GetVarint64(&in, &value));
  }
  absl::string_view in = "1234567";
  EXPECT_FALSE(GetFixed64BigEndian(&in, &value));
  in = "1234567";
  EXPECT_FALSE(GetFixed64LittleEndian(&in, &value));
  in = "123";
  EXPECT_FALSE(GetFixed32LittleEndian(&in, &value32));
  in = "\x05only";
  EXPECT_FALSE(GetLengthPrefixed(&in, &text));
}

TEST(CodingTest, ZigZagReadsBack) {
  for (const int64_t v : {int64_t{0}, int64_t{-1}, int64_t{1},
                          std::numeric_limits<int64_t>::min(),
                          std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(UnZigZag(ZigZag(v)), v);
  }
  EXPECT_EQ(ZigZag(-1), 1u);
  EXPECT_EQ(ZigZag(1), 2u);
}

TEST(CodingTest, FnvIsTheStandardFunction) {
  // The published test vectors.
  EXPECT_EQ(Fnv1a64(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(Fnv1a64("a"), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(Fnv1a64("foobar"), 0x85944171f73967e8ULL);
}

TEST(CodingTest, WireFieldsReadBack) {
  std::string bytes;
  PutTag(&bytes, 1, WireType::kVarint);
  PutVarint64(&bytes, 150);
  PutTag(&bytes, 2, WireType::kLengthDelimited);
  PutLengthPrefixed(&bytes, "text");
  PutTag(&bytes, 3, WireType::kFixed64);
  PutFixed64LittleEndian(&bytes, 7);
  PutTag(&bytes, 536870911, WireType::kFixed32);
  PutFixed32LittleEndian(&bytes, 9);
  absl::string_view in = bytes;
  WireField field;
  ASSERT_TRUE(GetWireField(&in, &field));
  EXPECT_EQ(field.number, 1u);
  EXPECT_EQ(field.varint, 150u);
  ASSERT_TRUE(GetWireField(&in, &field));
  EXPECT_EQ(field.type, WireType::kLengthDelimited);
  EXPECT_EQ(field.bytes, "text");
  ASSERT_TRUE(GetWireField(&in, &field));
  EXPECT_EQ(field.type, WireType::kFixed64);
  EXPECT_EQ(field.varint, 7u);
  ASSERT_TRUE(GetWireField(&in, &field));
  EXPECT_EQ(field.number, 536870911u);
  EXPECT_EQ(field.varint, 9u);
  EXPECT_TRUE(in.empty());
}

TEST(CodingTest, MalformedWireFieldsAreRefused) {
  // Field 0, a group, a wire type that is none, a length beyond the end.
  for (absl::string_view bad :
       {absl::string_view("\x00\x01", 2), absl::string_view("\x0b"),
        absl::string_view("\x0e"),
        absl::string_view("\x0a\x05"
                          "abc")}) {
    absl::string_view in = bad;
    WireField field;
    EXPECT_FALSE(GetWireField(&in, &field));
  }
}

}  // namespace
}  // namespace tidegate
