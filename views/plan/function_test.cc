#include "views/plan/function.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "gtest/gtest.h"
#include "views/plan/datum_text.h"
#include "views/plan/expr_testing.h"

namespace tidegate {
namespace {

const Datum kNull = Datum::Null();

// The result as text, or the error's.
std::string Call(Function function, Type type, Type result,
                 const std::vector<Datum>& operands) {
  Expr expr;
  expr.type = result;
  const int count = static_cast<int>(operands.size());
  for (int i = 0; i < count; ++i) {
    expr.code.push_back(testing::Step(Op::kColumn, type, i));
  }
  expr.code.push_back({.op = Op::kCall,
                       .type = type,
                       .to = result,
                       .arg = static_cast<int32_t>(function),
                       .arg2 = count});
  expr.max_stack = count;
  TextArena arena;
  Datum datum;
  const absl::Status status = Evaluate(expr, operands, &arena, &datum);
  if (!status.ok()) return std::string(status.message());
  return DatumText(result, datum);
}

std::string OfTime(Function function, Type result, absl::string_view time) {
  const absl::StatusOr<int64_t> micros = ParseTimestamp(time);
  EXPECT_TRUE(micros.ok()) << time;
  return Call(function, Type::kTimestamptz, result, {Datum::Int(*micros)});
}

TEST(FunctionTest, FieldsOfATime) {
  const struct {
    Function function;
    Type result;
    const char* of_2013;    // Tuesday 2013-12-31T23:59:58.250001Z
    const char* of_leap;    // Thursday 2024-02-29T00:00:00Z
    const char* before_70;  // Wednesday 1969-12-31T23:59:59.5Z
  } kCases[] = {
      {Function::kYear, Type::kBigint, "2013", "2024", "1969"},
      {Function::kMonth, Type::kBigint, "12", "2", "12"},
      {Function::kDay, Type::kBigint, "31", "29", "31"},
      {Function::kHour, Type::kBigint, "23", "0", "23"},
      {Function::kMinute, Type::kBigint, "59", "0", "59"},
      {Function::kSecond, Type::kDouble, "58.250001", "0", "59.5"},
      {Function::kDayOfWeek, Type::kBigint, "2", "4", "3"},
      {Function::kDayOfYear, Type::kBigint, "365", "60", "365"},
      {Function::kEpoch, Type::kDouble, "1388534398.250001", "1709164800",
       "-0.5"},
  };
  for (const auto& test : kCases) {
    const auto of = [&test](absl::string_view time) {
      return OfTime(test.function, test.result, time);
    };
    EXPECT_EQ(of("2013-12-31T23:59:58.250001Z"), test.of_2013);
    EXPECT_EQ(of("2024-02-29T00:00:00Z"), test.of_leap);
    EXPECT_EQ(of("1969-12-31T23:59:59.5Z"), test.before_70);
    EXPECT_EQ(Call(test.function, Type::kTimestamptz, test.result, {kNull}),
              "NULL");
  }
  // Sunday.
  EXPECT_EQ(OfTime(Function::kDayOfWeek, Type::kBigint, "2024-03-03"), "0");
}

TEST(FunctionTest, StartsOfTimes) {
  const struct {
    Function function;
    const char* of_2024;
    const char* before_70;
  } kCases[] = {
      {Function::kStartOfSecond, "2024-03-31T23:59:58Z",
       "1969-11-30T23:59:59Z"},
      {Function::kStartOfMinute, "2024-03-31T23:59:00Z",
       "1969-11-30T23:59:00Z"},
      {Function::kStartOfHour, "2024-03-31T23:00:00Z", "1969-11-30T23:00:00Z"},
      {Function::kStartOfDay, "2024-03-31T00:00:00Z", "1969-11-30T00:00:00Z"},
      {Function::kStartOfMonth, "2024-03-01T00:00:00Z", "1969-11-01T00:00:00Z"},
      {Function::kStartOfYear, "2024-01-01T00:00:00Z", "1969-01-01T00:00:00Z"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(OfTime(test.function, Type::kTimestamptz,
                     "2024-03-31T23:59:58.999999Z"),
              test.of_2024);
    EXPECT_EQ(
        OfTime(test.function, Type::kTimestamptz, "1969-11-30T23:59:59.25Z"),
        test.before_70);
    const auto of = [&test](Datum time) {
      return Call(test.function, Type::kTimestamptz, Type::kTimestamptz,
                  {time});
    };
    EXPECT_EQ(of(kNull), "NULL");
    EXPECT_EQ(of(Datum::Int(INT64_MIN)),
              "timestamptz out of range: date_trunc of "
              "-290308-12-21T19:59:05.224192Z");
  }
}

std::string OfText(Function function, Type result,
                   const std::vector<const char*>& texts) {
  std::vector<Datum> operands;
  operands.reserve(texts.size());
  for (const char* text : texts) {
    operands.push_back(text == nullptr ? kNull : Datum::Text(text));
  }
  return Call(function, Type::kVarchar, result, operands);
}

TEST(FunctionTest, LengthIsInCharacters) {
  const auto length = [](const char* text) {
    return OfText(Function::kLength, Type::kInt, {text});
  };
  EXPECT_EQ(length(""), "0");
  EXPECT_EQ(length("abc"), "3");
  EXPECT_EQ(length("Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x9a\x95"), "10");
  EXPECT_EQ(length(nullptr), "NULL");
}

TEST(FunctionTest, LettersOfAscii) {
  const auto both = [](const char* text) {
    return absl::StrCat(OfText(Function::kLower, Type::kVarchar, {text}), " ",
                        OfText(Function::kUpper, Type::kVarchar, {text}));
  };
  EXPECT_EQ(both("aZ@[`{09"), "\"az@[`{09\" \"AZ@[`{09\"");
  EXPECT_EQ(both("\xc3\x84\xc3\xa4x"),
            "\"\xc3\x84\xc3\xa4x\" \"\xc3\x84\xc3\xa4X\"");
  EXPECT_EQ(both(""), "\"\" \"\"");
  EXPECT_EQ(both(nullptr), "NULL NULL");
}

TEST(FunctionTest, Replace) {
  const struct {
    const char* text;
    const char* from;
    const char* to;
    const char* result;
  } kCases[] = {
      {"a-b-c", "-", "+", "\"a+b+c\""},
      {"a-b-c", "-", "", "\"abc\""},
      {"aaaa", "aa", "a", "\"aa\""},
      {"aaa", "aa", "bbb", "\"bbba\""},
      {"abc", "x", "y", "\"abc\""},
      {"abc", "", "y", "\"abc\""},
      {"", "x", "y", "\"\""},
      {"abc", "abc", "", "\"\""},
      {"\xc3\xa4\xc3\xb6", "\xc3\xb6", "o", "\"\xc3\xa4o\""},
      {nullptr, "a", "b", "NULL"},
      {"a", nullptr, "b", "NULL"},
      {"a", "a", nullptr, "NULL"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(OfText(Function::kReplace, Type::kVarchar,
                     {test.text, test.from, test.to}),
              test.result);
  }
  const std::string dots(kMaxTextBytes / 4, '.');
  const auto size = [&dots](const char* to) {
    TextArena arena;
    Datum operands[] = {Datum::Text(dots), Datum::Text("."), Datum::Text(to)};
    const absl::Status status =
        CallFunction(Function::kReplace, Type::kVarchar, operands, 3, &arena);
    return status.ok() ? absl::StrCat(operands[0].size)
                       : std::string(status.message());
  };
  EXPECT_EQ(size("1234"), "67108864");
  EXPECT_EQ(size("12345"),
            "text longer than 67108864 bytes: replace makes 83886080");
}

TEST(FunctionTest, Substring) {
  const auto substring = [](Datum text, Datum first) {
    return Call(Function::kSubstring, Type::kVarchar, Type::kVarchar,
                {text, first});
  };
  const Datum text = Datum::Text("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x95z");
  EXPECT_EQ(substring(text, Datum::Int(1)),
            "\"a\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x95z\"");
  EXPECT_EQ(substring(text, Datum::Int(4)), "\"\xf0\x9f\x9a\x95z\"");
  EXPECT_EQ(substring(text, Datum::Int(6)), "\"\"");
  EXPECT_EQ(substring(text, Datum::Int(INT64_MAX)), "\"\"");
  EXPECT_EQ(substring(text, Datum::Int(INT64_MIN)),
            "\"a\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x95z\"");
  EXPECT_EQ(substring(text, kNull), "NULL");
  const struct {
    Datum first;
    Datum length;
    const char* result;
  } kCases[] = {
      {Datum::Int(2), Datum::Int(2), "\"\xc3\xa4\xe2\x82\xac\""},
      {Datum::Int(2), Datum::Int(0), "\"\""},
      {Datum::Int(5), Datum::Int(9), "\"z\""},
      // What lies before the text counts.
      {Datum::Int(-1), Datum::Int(3), "\"a\""},
      {Datum::Int(0), Datum::Int(1), "\"\""},
      {Datum::Int(-9), Datum::Int(3), "\"\""},
      {Datum::Int(5), Datum::Int(INT64_MAX), "\"z\""},
      {Datum::Int(INT64_MAX), Datum::Int(INT64_MAX), "\"\""},
      {Datum::Int(INT64_MIN), Datum::Int(INT64_MAX), "\"\""},
      {Datum::Int(-1), Datum::Int(INT64_MAX),
       "\"a\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x95z\""},
      {Datum::Int(1), Datum::Int(-1), "negative length for substring: -1"},
      {kNull, Datum::Int(-1), "NULL"},
      {Datum::Int(1), kNull, "NULL"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(Call(Function::kSubstring, Type::kVarchar, Type::kVarchar,
                   {text, test.first, test.length}),
              test.result);
  }
  EXPECT_EQ(substring(Datum::Text(""), Datum::Int(1)), "\"\"");
}

TEST(FunctionTest, TrimTakesSpaces) {
  const auto trim = [](const char* text) {
    return OfText(Function::kTrim, Type::kVarchar, {text});
  };
  EXPECT_EQ(trim("  a b "), "\"a b\"");
  EXPECT_EQ(trim("\ta\n "), "\"\\ta\\n\"");
  EXPECT_EQ(trim("a"), "\"a\"");
  EXPECT_EQ(trim("   "), "\"\"");
  EXPECT_EQ(trim(""), "\"\"");
  EXPECT_EQ(trim(nullptr), "NULL");
}

TEST(FunctionTest, AbsoluteValues) {
  const auto abs = [](Type type, Datum value) {
    return Call(Function::kAbs, type, type, {value});
  };
  EXPECT_EQ(abs(Type::kInt, Datum::Int(-5)), "5");
  EXPECT_EQ(abs(Type::kBigint, Datum::Int(5)), "5");
  EXPECT_EQ(abs(Type::kBigint, Datum::Int(INT32_MIN)), "2147483648");
  EXPECT_EQ(abs(Type::kInt, Datum::Int(INT32_MIN)),
            "int out of range: abs(-2147483648)");
  EXPECT_EQ(abs(Type::kBigint, Datum::Int(INT64_MIN)),
            "bigint out of range: abs(-9223372036854775808)");
  EXPECT_EQ(abs(Type::kDouble, Datum::Double(-0.0)), "0");
  EXPECT_EQ(abs(Type::kDouble, Datum::Double(-INFINITY)), "Infinity");
  EXPECT_EQ(abs(Type::kDouble, Datum::Double(NAN)), "NaN");
  EXPECT_EQ(abs(Type::kInt, kNull), "NULL");
}

TEST(FunctionTest, WholeNumbers) {
  const auto all = [](Datum value) {
    std::string text;
    for (const Function function :
         {Function::kRound, Function::kFloor, Function::kCeil}) {
      absl::StrAppend(&text, text.empty() ? "" : " ",
                      Call(function, Type::kDouble, Type::kDouble, {value}));
    }
    return text;
  };
  EXPECT_EQ(all(Datum::Double(2.5)), "2 2 3");
  EXPECT_EQ(all(Datum::Double(3.5)), "4 3 4");
  EXPECT_EQ(all(Datum::Double(-2.5)), "-2 -3 -2");
  EXPECT_EQ(all(Datum::Double(0.25)), "0 0 1");
  EXPECT_EQ(all(Datum::Double(1e300)), "1e+300 1e+300 1e+300");
  EXPECT_EQ(all(Datum::Double(NAN)), "NaN NaN NaN");
  EXPECT_EQ(all(kNull), "NULL NULL NULL");
}

TEST(FunctionTest, GreatestAndLeastSkipNulls) {
  const auto both = [](Type type, Datum a, Datum b) {
    return absl::StrCat(Call(Function::kGreatest, type, type, {a, b}), " ",
                        Call(Function::kLeast, type, type, {a, b}));
  };
  EXPECT_EQ(both(Type::kInt, Datum::Int(1), Datum::Int(2)), "2 1");
  EXPECT_EQ(both(Type::kInt, Datum::Int(2), Datum::Int(1)), "2 1");
  EXPECT_EQ(both(Type::kInt, kNull, Datum::Int(1)), "1 1");
  EXPECT_EQ(both(Type::kInt, Datum::Int(1), kNull), "1 1");
  EXPECT_EQ(both(Type::kInt, kNull, kNull), "NULL NULL");
  EXPECT_EQ(both(Type::kVarchar, Datum::Text("b"), Datum::Text("ab")),
            "\"b\" \"ab\"");
  EXPECT_EQ(both(Type::kDouble, Datum::Double(NAN), Datum::Double(1)), "NaN 1");
  EXPECT_EQ(both(Type::kBoolean, Datum::Bool(false), Datum::Bool(true)),
            "true false");
}

}  // namespace
}  // namespace tidegate
