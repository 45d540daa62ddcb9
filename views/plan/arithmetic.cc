#include "views/plan/arithmetic.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "views/plan/datum_text.h"

namespace tidegate {
namespace {

bool InRange(Type type, int64_t value) {
  return type != Type::kInt || value == static_cast<int32_t>(value);
}

bool IntegerArithmetic(Op op, Type type, int64_t a, int64_t b, int64_t* out) {
  int64_t value = 0;
  switch (op) {
    case Op::kAdd:
      if (__builtin_add_overflow(a, b, &value)) return false;
      break;
    case Op::kSubtract:
      if (__builtin_sub_overflow(a, b, &value)) return false;
      break;
    case Op::kMultiply:
      if (__builtin_mul_overflow(a, b, &value)) return false;
      break;
    case Op::kDivide:
      if (b == 0) return false;
      if (b == -1) {
        if (__builtin_sub_overflow(int64_t{0}, a, &value)) return false;
      } else {
        value = a / b;
      }
      break;
    case Op::kModulo:
      if (b == 0) return false;
      // The smallest integer % -1 traps, though the answer is 0.
      value = b == -1 ? 0 : a % b;
      break;
    default:
      return false;
  }
  if (!InRange(type, value)) return false;
  *out = value;
  return true;
}

bool DoubleArithmetic(Op op, double a, double b, double* out) {
  double value = 0;
  switch (op) {
    case Op::kAdd:
      value = a + b;
      break;
    case Op::kSubtract:
      value = a - b;
      break;
    case Op::kMultiply:
      value = a * b;
      break;
    case Op::kDivide:
      if (b == 0) return false;
      value = a / b;
      break;
    case Op::kModulo:
      if (b == 0) return false;
      value = std::fmod(a, b);
      break;
    default:
      return false;
  }
  if (std::isinf(value) && !std::isinf(a) && !std::isinf(b)) return false;
  *out = value;
  return true;
}

}  // namespace

absl::string_view ArithmeticSymbol(Op op) {
  switch (op) {
    case Op::kAdd:
      return "+";
    case Op::kSubtract:
      return "-";
    case Op::kMultiply:
      return "*";
    case Op::kDivide:
      return "/";
    case Op::kModulo:
      return "%";
    default:
      return "?";
  }
}

bool Arithmetic(Op op, Type type, const Datum& a, const Datum& b,
                Datum* result) {
  if (a.is_null || b.is_null) {
    *result = Datum::Null();
    return true;
  }
  if (type == Type::kDouble) {
    double value;
    if (!DoubleArithmetic(op, a.d, b.d, &value)) return false;
    *result = Datum::Double(value);
    return true;
  }
  int64_t value;
  if (!IntegerArithmetic(op, type, a.i, b.i, &value)) return false;
  *result = Datum::Int(value);
  return true;
}

absl::Status ArithmeticError(Op op, Type type, const Datum& a, const Datum& b) {
  const bool by_zero = (op == Op::kDivide || op == Op::kModulo) &&
                       (type == Type::kDouble ? b.d == 0 : b.i == 0);
  return absl::OutOfRangeError(
      absl::StrCat(by_zero ? "division by zero"
                           : absl::StrCat(absl::AsciiStrToLower(TypeName(type)),
                                          " out of range"),
                   ": ", DatumText(type, a), " ", ArithmeticSymbol(op), " ",
                   DatumText(type, b)));
}

bool Negate(Type type, const Datum& a, Datum* result) {
  if (a.is_null) {
    *result = Datum::Null();
    return true;
  }
  if (type == Type::kDouble) {
    *result = Datum::Double(-a.d);
    return true;
  }
  return Arithmetic(Op::kSubtract, type, Datum::Int(0), a, result);
}

absl::Status NegateError(Type type, const Datum& a) {
  return absl::OutOfRangeError(
      absl::StrCat(absl::AsciiStrToLower(TypeName(type)), " out of range: -(",
                   DatumText(type, a), ")"));
}

}  // namespace tidegate
