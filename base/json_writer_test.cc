#include "base/json_writer.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

std::string Quoted(absl::string_view text) {
  std::string out;
  JsonWriter(&out).String(text);
  return out;
}

std::string Number(double value) {
  std::string out;
  JsonWriter(&out).Double(value);
  return out;
}

TEST(JsonWriterTest, PutsCommasWhereTheyBelong) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("a").Int(-1).Key("b").BeginArray().Uint(1).Bool(true);
  json.Null().BeginObject().EndObject().BeginArray().EndArray().EndArray();
  json.Key("c").BeginObject().Key("d").String("x").EndObject().EndObject();
  EXPECT_EQ(out, R"({"a":-1,"b":[1,true,null,{},[]],"c":{"d":"x"}})");
}

TEST(JsonWriterTest, TopLevelValuesAreNotJoined) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().EndObject();
  out.push_back('\n');
  json.Int(1);
  EXPECT_EQ(out, "{}\n1");
}

TEST(JsonWriterTest, Escapes) {
  EXPECT_EQ(Quoted("a\"b\\c\n\r\t\x01\x1f"), R"("a\"b\\c\n\r\t\u0001\u001f")");
  EXPECT_EQ(Quoted(absl::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(Quoted("stra\xc3\x9f"
                   "e"),
            "\"stra\xc3\x9f"
            "e\"");
}

TEST(JsonWriterTest, InvalidUtf8IsReplaced) {
  EXPECT_EQ(Quoted("a\xff"
                   "b\xe2\x82"),
            "\"a\xef\xbf\xbd"
            "b\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(JsonWriterTest, Integers) {
  std::string out;
  JsonWriter json(&out);
  json.BeginArray()
      .Int(std::numeric_limits<int64_t>::min())
      .Uint(std::numeric_limits<uint64_t>::max())
      .EndArray();
  EXPECT_EQ(out, "[-9223372036854775808,18446744073709551615]");
}

TEST(JsonWriterTest, Doubles) {
  EXPECT_EQ(Number(0.1), "0.1");
  EXPECT_EQ(Number(3), "3");
  EXPECT_EQ(Number(1e300), "1e+300");
  EXPECT_EQ(Number(std::nan("")), "\"NaN\"");
  EXPECT_EQ(Number(std::numeric_limits<double>::infinity()), "\"Infinity\"");
  EXPECT_EQ(Number(-std::numeric_limits<double>::infinity()), "\"-Infinity\"");
}

TEST(JsonWriterTest, DoublesReadBack) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> exponent(-300, 300);
  for (int i = 0; i < 2'000; ++i) {
    const double value = std::pow(10, exponent(random)) * (i % 2 == 0 ? 1 : -1);
    EXPECT_EQ(std::strtod(Number(value).c_str(), nullptr), value);
  }
}

}  // namespace
}  // namespace tidegate
