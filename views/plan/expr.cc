#include "views/plan/expr.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "views/plan/arithmetic.h"
#include "views/plan/cast.h"
#include "views/plan/datum_text.h"
#include "views/plan/function.h"
#include "views/plan/like.h"

namespace tidegate {
namespace {

bool IsTrue(const Datum& value) { return !value.is_null && value.b; }
bool IsFalse(const Datum& value) { return !value.is_null && !value.b; }

Datum And(const Datum& a, const Datum& b) {
  if (IsFalse(a) || IsFalse(b)) return Datum::Bool(false);
  if (a.is_null || b.is_null) return Datum::Null();
  return Datum::Bool(true);
}

Datum Or(const Datum& a, const Datum& b) {
  if (IsTrue(a) || IsTrue(b)) return Datum::Bool(true);
  if (a.is_null || b.is_null) return Datum::Null();
  return Datum::Bool(false);
}

Datum Compare(Op op, Type type, const Datum& a, const Datum& b) {
  if (a.is_null || b.is_null) return Datum::Null();
  const int order = CompareDatum(type, a, b);
  switch (op) {
    case Op::kEqual:
      return Datum::Bool(order == 0);
    case Op::kNotEqual:
      return Datum::Bool(order != 0);
    case Op::kLess:
      return Datum::Bool(order < 0);
    case Op::kLessEqual:
      return Datum::Bool(order <= 0);
    case Op::kGreater:
      return Datum::Bool(order > 0);
    default:
      return Datum::Bool(order >= 0);
  }
}

Datum In(Type type, const Datum& operand, const Datum* list, int size) {
  if (size == 0) return Datum::Bool(false);
  if (operand.is_null) return Datum::Null();
  bool has_null = false;
  for (int i = 0; i < size; ++i) {
    if (list[i].is_null) {
      has_null = true;
    } else if (CompareDatum(type, operand, list[i]) == 0) {
      return Datum::Bool(true);
    }
  }
  return has_null ? Datum::Null() : Datum::Bool(false);
}

absl::Status Concat(const Datum& a, const Datum& b, TextArena* arena,
                    Datum* result) {
  if (a.is_null || b.is_null) {
    *result = Datum::Null();
    return absl::OkStatus();
  }
  const uint64_t size = uint64_t{a.size} + b.size;
  if (size > arena->room()) {
    return absl::OutOfRangeError(absl::StrCat("text longer than ",
                                              arena->room(), " bytes: ", a.size,
                                              " || ", b.size));
  }
  if (size == 0) {
    *result = a;
    return absl::OkStatus();
  }
  char* const out = arena->Allocate(static_cast<uint32_t>(size));
  if (a.size > 0) std::memcpy(out, a.s, a.size);
  if (b.size > 0) std::memcpy(out + a.size, b.s, b.size);
  *result = Datum::Text(absl::string_view(out, size));
  return absl::OkStatus();
}

absl::Status EvaluateLike(const Expr& expr, const Instruction& in,
                          const Datum& text, const Datum& pattern,
                          TextArena* arena, Datum* result) {
  Datum escape = Datum::Text("\\");
  if (in.arg == 1) escape = expr.constants[static_cast<size_t>(in.arg2)];
  if (text.is_null || pattern.is_null || escape.is_null) {
    *result = Datum::Null();
    return absl::OkStatus();
  }
  if (!IsLikePattern(pattern.text(), escape.text())) {
    return absl::OutOfRangeError(
        absl::StrCat("LIKE pattern ends with its escape character: ",
                     DatumText(Type::kVarchar, pattern)));
  }
  uint64_t* const steps = arena->like_steps();
  *result =
      Datum::Bool(Like(text.text(), pattern.text(), escape.text(), steps));
  if (*steps == 0) {
    return absl::OutOfRangeError("LIKE takes more steps than are allowed");
  }
  return absl::OkStatus();
}

// The operations on the two topmost values; `a` becomes the result.
absl::Status Binary(const Expr& expr, const Instruction& in, Datum* a,
                    const Datum& b, TextArena* arena) {
  switch (in.op) {
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
      if (Arithmetic(in.op, in.type, *a, b, a)) return absl::OkStatus();
      return ArithmeticError(in.op, in.type, *a, b);
    case Op::kAnd:
      *a = And(*a, b);
      return absl::OkStatus();
    case Op::kOr:
      *a = Or(*a, b);
      return absl::OkStatus();
    case Op::kConcat:
      return Concat(*a, b, arena, a);
    case Op::kLike:
      return EvaluateLike(expr, in, *a, b, arena, a);
    default:
      *a = Compare(in.op, in.type, *a, b);
      return absl::OkStatus();
  }
}

// The operations on the topmost value, in place.
absl::Status Unary(const Instruction& in, Datum* a, TextArena* arena) {
  switch (in.op) {
    case Op::kNegate:
      if (Negate(in.type, *a, a)) return absl::OkStatus();
      return NegateError(in.type, *a);
    case Op::kNot:
      if (!a->is_null) *a = Datum::Bool(!a->b);
      return absl::OkStatus();
    case Op::kIsNull:
      *a = Datum::Bool(a->is_null);
      return absl::OkStatus();
    case Op::kIsNotNull:
      *a = Datum::Bool(!a->is_null);
      return absl::OkStatus();
    default:
      return Cast(in.type, in.to, *a, arena, a);
  }
}

}  // namespace

bool Expr::is_constant() const {
  return std::none_of(code.begin(), code.end(), [](const Instruction& in) {
    return in.op == Op::kColumn;
  });
}

absl::Status Evaluate(const Expr& expr, Row row, TextArena* arena,
                      Datum* result) {
  assert(expr.max_stack <= kMaxExprStack);
  // Raw bytes: constructing 256 datums would cost more than most programs.
  alignas(Datum) unsigned char memory[sizeof(Datum) * kMaxExprStack];
  Datum* const bottom = reinterpret_cast<Datum*>(memory);
  Datum* top = bottom;  // one past the topmost value
  const Instruction* const code = expr.code.data();
  const size_t size = expr.code.size();
  for (size_t pc = 0; pc < size; ++pc) {
    const Instruction& in = code[pc];
    const auto arg = static_cast<size_t>(in.arg);
    switch (in.op) {
      case Op::kColumn:
        *top++ = row[arg];
        break;
      case Op::kConstant:
        *top++ = expr.constants[arg];
        break;
      case Op::kJump:
        pc = arg - 1;
        break;
      case Op::kJumpIfNotTrue:
        if (!IsTrue(*--top)) pc = arg - 1;
        break;
      case Op::kJumpIfNotNull:
        if (top[-1].is_null) {
          --top;
        } else {
          pc = arg - 1;
        }
        break;
      case Op::kJumpIfFalse:
        if (IsFalse(top[-1])) pc = arg - 1;
        break;
      case Op::kJumpIfTrue:
        if (IsTrue(top[-1])) pc = arg - 1;
        break;
      case Op::kIn:
        top -= arg;
        top[-1] = In(in.type, top[-1], top, in.arg);
        break;
      case Op::kCall:
        top -= in.arg2 - 1;
        RETURN_IF_ERROR(CallFunction(static_cast<Function>(in.arg), in.type,
                                     top - 1, in.arg2, arena));
        break;
      case Op::kNegate:
      case Op::kNot:
      case Op::kIsNull:
      case Op::kIsNotNull:
      case Op::kCast:
        RETURN_IF_ERROR(Unary(in, top - 1, arena));
        break;
      default:
        --top;
        RETURN_IF_ERROR(Binary(expr, in, top - 1, *top, arena));
        break;
    }
  }
  assert(top == bottom + 1);
  *result = top[-1];
  return absl::OkStatus();
}

}  // namespace tidegate
