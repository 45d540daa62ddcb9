#include "clients/history/json_line.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

TEST(JsonLineTest, ReadsMembers) {
  auto line = JsonLine::Parse(
      R"({"n":-5,"b":true,"t":"x","l":["a","b"],"r":[["c"],[]],"z":null})");
  ASSERT_TRUE(line.ok()) << line.status();
  const JsonLine json = *std::move(line);
  EXPECT_EQ(*json.Int("n"), -5);
  EXPECT_TRUE(*json.Bool("b"));
  EXPECT_EQ(*json.Text("t"), "x");
  EXPECT_EQ(*json.Texts("l"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(json.TextRows("r")->size(), 2u);
  EXPECT_TRUE(json.IsNull("z"));
  EXPECT_FALSE(json.IsNull("n"));
  EXPECT_FALSE(json.IsNull("absent"));
}

TEST(JsonLineTest, ReadsValuesAsText) {
  const auto json = JsonLine::Parse(
      R"({"o": {"k": "a\"b", "n": 9007199254740993}, "l": [{"x": 1}, 2]})");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->Json("o").value(), R"({"k":"a\"b","n":9007199254740993})");
  EXPECT_EQ(json->Jsons("l").value(),
            (std::vector<std::string>{R"({"x":1})", "2"}));
  EXPECT_TRUE(json->Has("o"));
  EXPECT_FALSE(json->Has("absent"));
  EXPECT_FALSE(json->Json("absent").ok());
  EXPECT_FALSE(json->Jsons("o").ok());
}

TEST(JsonLineTest, OtherTypesAreErrors) {
  const auto json = JsonLine::Parse(R"({"n":1,"l":[1],"r":["a"]})");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_FALSE(json->Int("absent").ok());
  EXPECT_FALSE(json->Bool("n").ok());
  EXPECT_FALSE(json->Text("n").ok());
  EXPECT_FALSE(json->Texts("l").ok());
  EXPECT_FALSE(json->Texts("n").ok());
  EXPECT_FALSE(json->TextRows("r").ok());
  for (const char* bad : {"", "[]", "{", "1"}) {
    EXPECT_FALSE(JsonLine::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace tidegate
