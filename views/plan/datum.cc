#include "views/plan/datum.h"

#include <cmath>

namespace tidegate {
namespace {

template <typename T>
int ThreeWay(T a, T b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

int CompareDouble(double a, double b) {
  const bool a_nan = std::isnan(a);
  const bool b_nan = std::isnan(b);
  if (a_nan || b_nan) return ThreeWay<int>(a_nan, b_nan);
  return ThreeWay(a, b);
}

}  // namespace

absl::string_view TypeName(Type type) {
  switch (type) {
    case Type::kBoolean:
      return "BOOLEAN";
    case Type::kInt:
      return "INT";
    case Type::kBigint:
      return "BIGINT";
    case Type::kDouble:
      return "DOUBLE PRECISION";
    case Type::kVarchar:
      return "VARCHAR";
    case Type::kTimestamptz:
      return "TIMESTAMPTZ";
  }
  return "UNKNOWN";
}

int CompareDatum(Type type, const Datum& a, const Datum& b) {
  if (a.is_null || b.is_null) return ThreeWay<int>(a.is_null, b.is_null);
  switch (type) {
    case Type::kBoolean:
      return ThreeWay<int>(a.b, b.b);
    case Type::kInt:
    case Type::kBigint:
    case Type::kTimestamptz:
      return ThreeWay(a.i, b.i);
    case Type::kDouble:
      return CompareDouble(a.d, b.d);
    case Type::kVarchar:
      // Bytes of UTF-8 compare as code points do.
      return ThreeWay(a.text().compare(b.text()), 0);
  }
  return 0;
}

}  // namespace tidegate
