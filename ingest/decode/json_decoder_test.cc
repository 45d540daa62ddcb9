#include "ingest/decode/json_decoder.h"

#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ingest/decode/test_rows.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string DecodeOne(Type type, absl::string_view json_value) {
  const std::vector<Column> columns = {{"c", type}};
  const auto decoder = MakeJsonDecoder(columns, {true});
  return DecodeToText(decoder.get(), columns,
                      absl::StrCat("{\"c\":", json_value, "}"));
}

struct Case {
  Type type;
  const char* json;
  const char* expected;  // after "c="
};

TEST(JsonDecoderTest, ConvertsEachType) {
  const Case cases[] = {
      {Type::kBoolean, "true", "true"},
      {Type::kBoolean, " false ", "false"},
      {Type::kBoolean, "null", "NULL"},
      {Type::kInt, "2147483647", "2147483647"},
      {Type::kInt, "-2147483648", "-2147483648"},
      {Type::kBigint, "9223372036854775807", "9223372036854775807"},
      {Type::kBigint, "-9223372036854775808", "-9223372036854775808"},
      {Type::kBigint, "1.0", "1"},
      {Type::kBigint, "1e3", "1000"},
      {Type::kBigint, "-0", "0"},
      {Type::kDouble, "1", "1"},
      {Type::kDouble, "-0.5e1", "-5"},
      {Type::kDouble, "123456789012345678901234567890",
       "1.2345678901234568e+29"},
      {Type::kVarchar, R"("")", "''"},
      {Type::kVarchar, R"( "abc" )", "'abc'"},
      {Type::kVarchar, R"("a\"b\\c\/\n\u0041")", "'a\"b\\c/\nA'"},
      {Type::kVarchar, R"("\ud83d\ude00 \u00e9")", "'😀 é'"},
      {Type::kVarchar, R"("a\"")", "'a\"'"},
      {Type::kVarchar, "\"é€😀\"", "'é€😀'"},
      {Type::kTimestamptz, R"("1970-01-01T00:00:01.5Z")", "1500000"},
      {Type::kTimestamptz, R"("1970-01-01T01:00:00+01:00")", "0"},
      {Type::kTimestamptz, "1500", "1500000"},
      {Type::kTimestamptz, "-1", "-1000"},
      {Type::kTimestamptz, "null", "NULL"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(DecodeOne(c.type, c.json), absl::StrCat("c=", c.expected))
        << TypeName(c.type) << " from " << c.json;
  }
}

TEST(JsonDecoderTest, RefusesOtherTypesByName) {
  const Case cases[] = {
      {Type::kBoolean, "1", "found number 1"},
      {Type::kBoolean, "\"true\"", "found string \"true\""},
      {Type::kBoolean, "tru", "found tru"},
      {Type::kInt, "2147483648", "found number 2147483648 (out of range)"},
      {Type::kInt, "1.5", "found number 1.5"},
      {Type::kInt, "\"1\"", "found string \"1\""},
      {Type::kBigint, "9223372036854775808",
       "found number 9223372036854775808"},
      {Type::kBigint, "1e300", "found number 1e300"},
      {Type::kBigint, "true", "found true"},
      {Type::kBigint, "01", "found number 01"},
      {Type::kDouble, "\"abc\"",
       "expected DOUBLE PRECISION, found string \"abc\""},
      {Type::kDouble, "1e999", "found number 1e999"},
      {Type::kDouble, "[1]", "found an array"},
      {Type::kVarchar, "12", "found number 12"},
      {Type::kVarchar, "{}", "found an object"},
      {Type::kVarchar, "nul", "found nul"},
      {Type::kVarchar, R"("\ud800")", "bad escape"},
      {Type::kVarchar, R"("\udc00")", "bad escape"},
      {Type::kVarchar, R"("\ud800\u0041")", "bad escape"},
      {Type::kVarchar, R"("\x")", "bad escape"},
      {Type::kTimestamptz, "\"soon\"", "found string \"soon\""},
      {Type::kTimestamptz, "1.5", "found number 1.5"},
      {Type::kTimestamptz, "9223372036854775807", "(out of range)"},
  };
  for (const Case& c : cases) {
    const std::string text = DecodeOne(c.type, c.json);
    EXPECT_THAT(text, StartsWith("error: column \"c\": expected "))
        << TypeName(c.type) << " from " << c.json;
    EXPECT_THAT(text, HasSubstr(c.expected))
        << TypeName(c.type) << " from " << c.json;
  }
}

TEST(JsonDecoderTest, RefusesWhatIsNotOneObject) {
  const std::vector<Column> columns = {{"a", Type::kBigint}};
  const auto decoder = MakeJsonDecoder(columns, {true});
  const std::pair<std::string, const char*> cases[] = {
      {"", "nothing in it"},
      {"   ", "nothing in it"},
      {"12", "not an object"},
      {"[{\"a\":1}]", "not an object"},
      {"null", "not an object"},
      {"{", ""},
      {"{\"a\"", ""},
      {"{\"a\":", ""},
      {"{\"a\":1", "truncated"},
      {"{\"a\":1,}", ""},
      {"{\"a\":1}}", "more text"},
      {"{\"a\":1} x", "more text"},
      {"{\"a\":1}{\"a\":2}", "more text"},
      {"{\"a\":1 \"b\":2}", ""},
      {"{\"b\":[1,{\"c\":2}", ""},
      {"{\"b\":\"open}", "not closed"},
      {"{\"b\":\"\xff\"}", "invalid UTF-8"},
      {"{\"b\":\"\xed\xa0\x80\"}", "invalid UTF-8"},
      {std::string("{\"b\":\"\x01\"}"), "control character"},
      {"{a:1}", ""},
      {std::string(100'000, '['), "not an object"},
      {"{\"b\":" + std::string(100'000, '['), "truncated"},
      {"{\"b\":" + std::string(100'000, '{') + "}", ""},
  };
  for (const auto& [json, expected] : cases) {
    const std::string text = DecodeToText(decoder.get(), columns, json);
    EXPECT_THAT(text, StartsWith("error: ")) << json.substr(0, 80);
    EXPECT_THAT(text, HasSubstr(expected)) << json.substr(0, 80);
  }
  // The decoder is as good as new after each of them.
  EXPECT_EQ(DecodeToText(decoder.get(), columns, "{\"a\":1}"), "a=1");
}

TEST(JsonDecoderTest, ReadsUsedColumnsInAnyOrder) {
  const std::vector<Column> columns = {{"a", Type::kBigint},
                                       {"b", Type::kVarchar},
                                       {"unused", Type::kBigint},
                                       {"d", Type::kDouble}};
  const auto decoder = MakeJsonDecoder(columns, {true, true, false, true});
  const std::pair<const char*, const char*> cases[] = {
      {R"({"a":1,"b":"x","unused":"not a number","d":2})",
       "a=1 b='x' unused=NULL d=2"},
      {R"({"a":2,"b":"y","unused":[[{}]],"d":3})", "a=2 b='y' unused=NULL d=3"},
      {R"({"d":4,"b":"z","a":3})", "a=3 b='z' unused=NULL d=4"},
      {R"({"a":4})", "a=4 b=NULL unused=NULL d=NULL"},
      {R"({})", "a=NULL b=NULL unused=NULL d=NULL"},
      {R"({"aa":9,"":8,"A":7})", "a=NULL b=NULL unused=NULL d=NULL"},
      {R"({"a":1,"a":2})", "a=2 b=NULL unused=NULL d=NULL"},
      {R"({"a":1,"a":null})", "a=NULL b=NULL unused=NULL d=NULL"},
      {R"({"\u0061":5,"b\u0000":"no"})", "a=5 b=NULL unused=NULL d=NULL"},
      {R"({"\u0061":6,"b":"yes"})", "a=6 b='yes' unused=NULL d=NULL"},
      {R"({"a\"":1,"b":"q"})", "a=NULL b='q' unused=NULL d=NULL"},
      {R"({ "x" : { "a" : 1 } , "a" : 2 })", "a=2 b=NULL unused=NULL d=NULL"},
  };
  for (int round = 0; round < 2; ++round) {
    for (const auto& [json, expected] : cases) {
      EXPECT_EQ(DecodeToText(decoder.get(), columns, json), expected) << json;
    }
  }
}

const std::vector<Column>& ModelColumns() {
  static const auto* const columns = new std::vector<Column>{
      {"b", Type::kBoolean},  {"i", Type::kInt},     {"l", Type::kBigint},
      {"d", Type::kDouble},   {"s", Type::kVarchar}, {"t", Type::kTimestamptz},
      {"skip", Type::kBigint}};
  return *columns;
}

// One field: its JSON text, and what it decodes to.
struct ModelField {
  int column = -1;  // none: unknown to the decoder
  std::string json;
  std::string shown;
};

ModelField RandomField(std::mt19937_64& random) {
  const auto pick = [&](uint64_t n) { return random() % n; };
  ModelField field;
  field.column = static_cast<int>(pick(8)) - 1;
  const std::string space(pick(3), ' ');
  const int64_t wide = static_cast<int64_t>(random()) >> pick(64);
  if (field.column < 0 || field.column == 6) {
    static constexpr const char* kAny[] = {
        "[1,{\"i\":3}]", "{\"l\":[]}", "\"}\"", "true", "-1.5e3", "null"};
    field.json = kAny[pick(6)];
  } else if (pick(8) == 0) {
    field.json = "null";
    field.shown = "NULL";
  } else if (field.column == 0) {
    field.shown = field.json = pick(2) == 0 ? "true" : "false";
  } else if (field.column == 1) {
    field.shown = field.json = absl::StrCat(static_cast<int32_t>(wide));
  } else if (field.column == 2) {
    field.shown = field.json = absl::StrCat(wide);
  } else if (field.column == 3) {
    const double d = static_cast<double>(wide) / 1024.0;
    field.json = absl::StrFormat("%.17g", d);
    field.shown = field.json;
  } else if (field.column == 4) {
    static constexpr std::pair<const char*, const char*> kPieces[] = {
        {"a", "a"},
        {"\\n", "\n"},
        {"é", "é"},
        {"\\u20ac", "€"},
        {"\\ud83d\\ude00", "😀"},
        {"\\\"", "\""},
        {"\\\\", "\\"},
        {"{", "{"}};
    std::string value;
    for (uint64_t n = pick(6); n > 0; --n) {
      const auto& [json, text] = kPieces[pick(8)];
      absl::StrAppend(&field.json, json);
      absl::StrAppend(&value, text);
    }
    field.json = absl::StrCat("\"", field.json, "\"");
    field.shown = absl::StrCat("'", value, "'");
  } else {
    const int64_t millis = wide % 100'000'000'000;
    field.json = absl::StrCat(millis);
    field.shown = absl::StrCat(millis * 1000);
  }
  field.json = absl::StrCat(space, field.json, space);
  return field;
}

TEST(JsonDecoderTest, EqualsAModelOnRandomObjects) {
  const uint64_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::vector<Column>& columns = ModelColumns();
  std::vector<bool> used(columns.size(), true);
  used[6] = false;
  const auto decoder = MakeJsonDecoder(columns, used);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> model(columns.size(), "NULL");
    std::vector<std::string> fields;
    for (int n = random() % 12; n > 0; --n) {
      const ModelField field = RandomField(random);
      std::string name = absl::StrCat("x", random() % 3);
      if (field.column >= 0) {
        name = columns[field.column].name;
        if (used[field.column]) model[field.column] = field.shown;
      }
      fields.push_back(absl::StrCat("\"", name, "\":", field.json));
    }
    const std::string json = absl::StrCat("{", absl::StrJoin(fields, ","), "}");
    std::string expected;
    for (size_t i = 0; i < columns.size(); ++i) {
      absl::StrAppend(&expected, i == 0 ? "" : " ", columns[i].name, "=",
                      model[i]);
    }
    ASSERT_EQ(DecodeToText(decoder.get(), columns, json), expected) << json;
    // Every proper prefix is an error, and whatever one byte becomes, there is
    // an answer.
    const size_t cut = random() % json.size();
    EXPECT_THAT(DecodeToText(decoder.get(), columns, json.substr(0, cut)),
                StartsWith("error: "));
    std::string mutated = json;
    mutated[random() % mutated.size()] = static_cast<char>(random());
    DecodeToText(decoder.get(), columns, mutated);
  }
}

TEST(JsonDecoderTest, SurvivesRandomBytes) {
  const uint64_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  const auto decoder =
      MakeJsonDecoder(ModelColumns(), std::vector<bool>(7, true));
  static constexpr absl::string_view kAlphabet =
      "{}[]\":,\\ \n0.e-tnbils\xc3\xa9";
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = round % 2 == 0 ? "{" : "";
    for (int n = random() % 40; n > 0; --n) {
      bytes.push_back(round % 4 < 2 ? kAlphabet[random() % kAlphabet.size()]
                                    : static_cast<char>(random()));
    }
    DecodeToText(decoder.get(), ModelColumns(), bytes);
  }
  EXPECT_EQ(DecodeOne(Type::kBigint, "5"), "c=5");
}

}  // namespace
}  // namespace tidegate
