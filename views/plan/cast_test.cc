#include "views/plan/cast.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "views/plan/datum_text.h"

namespace tidegate {
namespace {

constexpr Type kTypes[] = {Type::kBoolean, Type::kInt,     Type::kBigint,
                           Type::kDouble,  Type::kVarchar, Type::kTimestamptz};

Datum Text(const char* text) { return Datum::Text(text); }

TEST(CastTest, Values) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const int64_t k2013 = 1'357'034'400'000'000;
  const struct {
    Type from, to;
    Datum value, result;
  } kCases[] = {
      {Type::kBoolean, Type::kInt, Datum::Bool(true), Datum::Int(1)},
      {Type::kBoolean, Type::kBigint, Datum::Bool(false), Datum::Int(0)},
      {Type::kBoolean, Type::kVarchar, Datum::Bool(true), Text("true")},
      {Type::kBoolean, Type::kVarchar, Datum::Bool(false), Text("false")},
      {Type::kInt, Type::kBoolean, Datum::Int(-2), Datum::Bool(true)},
      {Type::kInt, Type::kBoolean, Datum::Int(0), Datum::Bool(false)},
      {Type::kBigint, Type::kBoolean, Datum::Int(1LL << 40), Datum::Bool(true)},
      {Type::kInt, Type::kBigint, Datum::Int(-5), Datum::Int(-5)},
      {Type::kBigint, Type::kInt, Datum::Int(-2147483648),
       Datum::Int(-2147483648)},
      {Type::kInt, Type::kDouble, Datum::Int(3), Datum::Double(3)},
      {Type::kBigint, Type::kDouble, Datum::Int(1LL << 53),
       Datum::Double(0x1p53)},
      {Type::kInt, Type::kVarchar, Datum::Int(-12), Text("-12")},
      {Type::kBigint, Type::kVarchar,
       Datum::Int(std::numeric_limits<int64_t>::min()),
       Text("-9223372036854775808")},
      // Half to even.
      {Type::kDouble, Type::kInt, Datum::Double(0.5), Datum::Int(0)},
      {Type::kDouble, Type::kInt, Datum::Double(1.5), Datum::Int(2)},
      {Type::kDouble, Type::kInt, Datum::Double(-2.5), Datum::Int(-2)},
      {Type::kDouble, Type::kInt, Datum::Double(2147483647.4),
       Datum::Int(2147483647)},
      {Type::kDouble, Type::kBigint, Datum::Double(-0x1p63),
       Datum::Int(std::numeric_limits<int64_t>::min())},
      {Type::kDouble, Type::kVarchar, Datum::Double(0.1), Text("0.1")},
      {Type::kDouble, Type::kVarchar, Datum::Double(kInf), Text("Infinity")},
      {Type::kVarchar, Type::kBoolean, Text(" TRUE "), Datum::Bool(true)},
      {Type::kVarchar, Type::kBoolean, Text("y"), Datum::Bool(true)},
      {Type::kVarchar, Type::kBoolean, Text("on"), Datum::Bool(true)},
      {Type::kVarchar, Type::kBoolean, Text("1"), Datum::Bool(true)},
      {Type::kVarchar, Type::kBoolean, Text("fal"), Datum::Bool(false)},
      {Type::kVarchar, Type::kBoolean, Text("Off"), Datum::Bool(false)},
      {Type::kVarchar, Type::kBoolean, Text("0"), Datum::Bool(false)},
      {Type::kVarchar, Type::kInt, Text(" -12 "), Datum::Int(-12)},
      {Type::kVarchar, Type::kInt, Text("+7"), Datum::Int(7)},
      {Type::kVarchar, Type::kBigint, Text("9223372036854775807"),
       Datum::Int(std::numeric_limits<int64_t>::max())},
      {Type::kVarchar, Type::kDouble, Text("1.5e3"), Datum::Double(1500)},
      {Type::kVarchar, Type::kDouble, Text("+.5"), Datum::Double(0.5)},
      {Type::kVarchar, Type::kDouble, Text("-Infinity"), Datum::Double(-kInf)},
      {Type::kVarchar, Type::kDouble, Text("NaN"), Datum::Double(std::nan(""))},
      {Type::kVarchar, Type::kTimestamptz, Text("2013-01-01 10:00:00"),
       Datum::Int(k2013)},
      {Type::kTimestamptz, Type::kVarchar, Datum::Int(k2013),
       Text("2013-01-01T10:00:00Z")},
  };
  for (const auto& test : kCases) {
    TextArena arena;
    Datum result;
    const absl::Status status =
        Cast(test.from, test.to, test.value, &arena, &result);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_FALSE(result.is_null);
    EXPECT_EQ(CompareDatum(test.to, result, test.result), 0)
        << TypeName(test.from) << " " << DatumText(test.from, test.value)
        << " as " << TypeName(test.to) << " is " << DatumText(test.to, result);
  }
}

TEST(CastTest, Errors) {
  const struct {
    Type from, to;
    Datum value;
    const char* message;
  } kCases[] = {
      {Type::kBigint, Type::kInt, Datum::Int(2147483648),
       "out of range for INT: 2147483648"},
      {Type::kDouble, Type::kInt, Datum::Double(2147483647.5),
       "out of range for INT: 2147483647.5"},
      {Type::kDouble, Type::kBigint, Datum::Double(0x1p63),
       "out of range for BIGINT: 9.223372036854776e+18"},
      {Type::kDouble, Type::kBigint, Datum::Double(std::nan("")),
       "out of range for BIGINT: NaN"},
      {Type::kDouble, Type::kInt,
       Datum::Double(-std::numeric_limits<double>::infinity()),
       "out of range for INT: -Infinity"},
      {Type::kVarchar, Type::kInt, Text("12x"), "not valid as INT: \"12x\""},
      {Type::kVarchar, Type::kInt, Text(""), "not valid as INT: \"\""},
      {Type::kVarchar, Type::kInt, Text("1.5"), "not valid as INT: \"1.5\""},
      {Type::kVarchar, Type::kInt, Text("+-1"), "not valid as INT: \"+-1\""},
      {Type::kVarchar, Type::kInt, Text("2147483648"),
       "out of range for INT: \"2147483648\""},
      {Type::kVarchar, Type::kBigint, Text("9223372036854775808"),
       "out of range for BIGINT: \"9223372036854775808\""},
      {Type::kVarchar, Type::kDouble, Text("1e400"),
       "not valid as DOUBLE PRECISION: \"1e400\""},
      {Type::kVarchar, Type::kDouble, Text("1,5"),
       "not valid as DOUBLE PRECISION: \"1,5\""},
      {Type::kVarchar, Type::kDouble, Text("+-1"),
       "not valid as DOUBLE PRECISION: \"+-1\""},
      {Type::kVarchar, Type::kBoolean, Text("o"),
       "not valid as BOOLEAN: \"o\""},
      {Type::kVarchar, Type::kBoolean, Text(""), "not valid as BOOLEAN: \"\""},
      {Type::kVarchar, Type::kBoolean, Text("truely"),
       "not valid as BOOLEAN: \"truely\""},
      {Type::kVarchar, Type::kTimestamptz, Text("yesterday"),
       "not valid as TIMESTAMPTZ: \"yesterday\""},
  };
  for (const auto& test : kCases) {
    TextArena arena;
    Datum result;
    const absl::Status status =
        Cast(test.from, test.to, test.value, &arena, &result);
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(status.message(), test.message);
  }
}

TEST(CastTest, NullStaysNullAndUnknownPairsAreRefused) {
  int castable = 0;
  for (const Type from : kTypes) {
    for (const Type to : kTypes) {
      TextArena arena;
      Datum result = Datum::Int(1);
      const absl::Status status =
          Cast(from, to, Datum::Null(), &arena, &result);
      EXPECT_EQ(status.ok(), CanCast(from, to));
      if (CanCast(from, to)) {
        EXPECT_TRUE(result.is_null);
        ++castable;
      }
    }
  }
  // 6 to themselves, 10 with VARCHAR, 6 among the numbers, 4 with BOOLEAN.
  EXPECT_EQ(castable, 26);
}

}  // namespace
}  // namespace tidegate
