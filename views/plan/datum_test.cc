#include "views/plan/datum.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "views/plan/datum_text.h"

namespace tidegate {
namespace {

// Each list is in strictly ascending order.
void ExpectOrder(Type type, const std::vector<Datum>& ascending) {
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (size_t j = 0; j < ascending.size(); ++j) {
      const int order = CompareDatum(type, ascending[i], ascending[j]);
      EXPECT_EQ(order < 0, i < j) << TypeName(type) << " " << i << " " << j;
      EXPECT_EQ(order > 0, i > j) << TypeName(type) << " " << i << " " << j;
    }
  }
}

TEST(CompareDatumTest, OrdersWithinEachType) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  ExpectOrder(Type::kBoolean,
              {Datum::Bool(false), Datum::Bool(true), Datum::Null()});
  for (const Type type : {Type::kInt, Type::kBigint, Type::kTimestamptz}) {
    ExpectOrder(
        type, {Datum::Int(std::numeric_limits<int64_t>::min()), Datum::Int(-1),
               Datum::Int(0), Datum::Int(std::numeric_limits<int64_t>::max()),
               Datum::Null()});
  }
  ExpectOrder(Type::kDouble,
              {Datum::Double(-kInf), Datum::Double(-1), Datum::Double(0),
               Datum::Double(0x1p-1074), Datum::Double(kInf),
               Datum::Double(std::nan("")), Datum::Null()});
  ExpectOrder(
      Type::kVarchar,
      {Datum::Text(""), Datum::Text(absl::string_view("\0", 1)),
       Datum::Text("a"), Datum::Text("aa"), Datum::Text("b"),
       Datum::Text("\xc3\xa4"), Datum::Text("\xe2\x82\xac"), Datum::Null()});
}

TEST(CompareDatumTest, SignedZerosAndNansAreOne) {
  EXPECT_EQ(
      CompareDatum(Type::kDouble, Datum::Double(0.0), Datum::Double(-0.0)), 0);
  EXPECT_EQ(CompareDatum(Type::kDouble, Datum::Double(std::nan("1")),
                         Datum::Double(-std::nan("2"))),
            0);
}

TEST(DatumTextTest, Examples) {
  EXPECT_EQ(DatumText(Type::kInt, Datum::Null()), "NULL");
  EXPECT_EQ(DatumText(Type::kBoolean, Datum::Bool(true)), "true");
  EXPECT_EQ(DatumText(Type::kInt, Datum::Int(-7)), "-7");
  EXPECT_EQ(DatumText(Type::kDouble, Datum::Double(0.5)), "0.5");
  EXPECT_EQ(DatumText(Type::kVarchar, Datum::Text("a\"b\n")), "\"a\\\"b\\n\"");
  EXPECT_EQ(DatumText(Type::kTimestamptz, Datum::Int(0)),
            "1970-01-01T00:00:00Z");
}

TEST(DatumTextTest, LongTextIsCutBetweenCodePoints) {
  const std::string text = std::string(kMaxQuotedBytes - 1, 'x') + "\xc3\xa4z";
  EXPECT_EQ(DatumText(Type::kVarchar, Datum::Text(text)),
            "\"" + std::string(kMaxQuotedBytes - 1, 'x') + "\"...");
}

TEST(TypeNameTest, IsTheSqlName) {
  EXPECT_EQ(TypeName(Type::kDouble), "DOUBLE PRECISION");
  EXPECT_EQ(TypeName(Type::kTimestamptz), "TIMESTAMPTZ");
}

}  // namespace
}  // namespace tidegate
