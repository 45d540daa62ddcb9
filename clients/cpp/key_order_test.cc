#include "clients/cpp/key_order.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <string>
#include <vector>

#include "base/coding.h"

namespace tidegate::client {
namespace {

using Type = KeyColumn::Type;

std::string Varint(uint32_t field, int64_t value) {
  std::string out;
  PutTag(&out, field, WireType::kVarint);
  PutVarint64(&out, static_cast<uint64_t>(value));
  return out;
}

std::string Text(uint32_t field, const std::string& value) {
  std::string out;
  PutTag(&out, field, WireType::kLengthDelimited);
  PutLengthPrefixed(&out, value);
  return out;
}

std::string Double(uint32_t field, double value) {
  std::string out;
  PutTag(&out, field, WireType::kFixed64);
  PutFixed64LittleEndian(&out, std::bit_cast<uint64_t>(value));
  return out;
}

std::string Time(uint32_t field, int64_t seconds, int32_t nanos) {
  return Text(field, Varint(1, seconds) + Varint(2, nanos));
}

// The messages are in order.
void ExpectAscending(Type type, const std::vector<std::string>& messages) {
  const KeyOrder order({{1, type}});
  std::string last;
  for (const std::string& message : messages) {
    const auto now = order.Of(message);
    ASSERT_TRUE(now.ok()) << now.status();
    EXPECT_LT(last, *now);
    last = *now;
  }
}

TEST(KeyOrderTest, IsTheValuesOrderWithNullsLast) {
  ExpectAscending(Type::kBool, {Varint(1, 0), Varint(1, 1), ""});
  ExpectAscending(Type::kInt,
                  {Varint(1, std::numeric_limits<int64_t>::min()),
                   Varint(1, -129), Varint(1, -1), Varint(1, 0), Varint(1, 127),
                   Varint(1, 128), Varint(1, 257), ""});
  ExpectAscending(Type::kDouble,
                  {Double(1, -1e300), Double(1, -1), Double(1, -0.0),
                   Double(1, 1e-300), Double(1, 2), ""});
  ExpectAscending(Type::kText, {Text(1, ""), Text(1, std::string("\0", 1)),
                                Text(1, "a"), Text(1, std::string("a\0b", 3)),
                                Text(1, "aa"), Text(1, "\xc3\xa9"), ""});
  ExpectAscending(Type::kTimestamp,
                  {Time(1, -2, 0), Time(1, -1, 500'000'000), Text(1, ""),
                   Time(1, 0, 1'000), Time(1, 7, 0), ""});
}

TEST(KeyOrderTest, IsTheSameForARowAndItsKey) {
  const KeyOrder order({{2, Type::kText}, {7, Type::kTimestamp}});
  const std::string key = Text(2, "EU") + Time(7, 1, 5'000);
  const std::string row = Varint(1, 42) + key + Double(9, 3.5);
  EXPECT_EQ(order.Of(row).value(), order.Of(key).value());
  // Fields in another order, and one repeated: the last one counts.
  EXPECT_EQ(order.Of(Text(2, "US") + Time(7, 1, 5'000) + Text(2, "EU")).value(),
            order.Of(key).value());
  EXPECT_EQ(KeyOrder({{1, Type::kDouble}}).Of(Double(1, -0.0)).value(),
            KeyOrder({{1, Type::kDouble}}).Of(Double(1, 0.0)).value());
  // Another value of the first column alone tells more than the second's.
  EXPECT_LT(order.Of(Text(2, "EU") + Time(7, 9, 0)).value(),
            order.Of(Text(2, "US") + Time(7, 1, 0)).value());
}

TEST(KeyOrderTest, MalformedBytesAreErrors) {
  const KeyOrder order({{1, Type::kInt}, {2, Type::kTimestamp}});
  for (const std::string& bytes : {std::string("\xff"), Text(1, "no number"),
                                   Varint(2, 4), Text(2, "\xff")}) {
    EXPECT_EQ(order.Of(bytes).status().code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace tidegate::client
