// Checked arithmetic on datums.
#ifndef TIDEGATE_VIEWS_PLAN_ARITHMETIC_H_
#define TIDEGATE_VIEWS_PLAN_ARITHMETIC_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "views/plan/datum.h"
#include "views/plan/expr.h"

namespace tidegate {

// "+" for kAdd and so on; "?" for what is not arithmetic.
absl::string_view ArithmeticSymbol(Op op);

// a `op` b for kAdd, kSubtract, kMultiply, kDivide and kModulo of two INT,
// BIGINT or DOUBLE PRECISION; NULL if either is. False, with `result` as it
// was, on overflow and division by zero: ArithmeticError says which.
bool Arithmetic(Op op, Type type, const Datum& a, const Datum& b,
                Datum* result);
absl::Status ArithmeticError(Op op, Type type, const Datum& a, const Datum& b);

// -a; false if that is out of range.
bool Negate(Type type, const Datum& a, Datum* result);
absl::Status NegateError(Type type, const Datum& a);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PLAN_ARITHMETIC_H_
