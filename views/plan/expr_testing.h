// Builds expressions by hand, for tests.
#ifndef TIDEGATE_VIEWS_PLAN_EXPR_TESTING_H_
#define TIDEGATE_VIEWS_PLAN_EXPR_TESTING_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "views/plan/expr.h"

namespace tidegate::testing {

inline Instruction Step(Op op, Type type, int arg = 0) {
  return {.op = op, .type = type, .to = type, .arg = arg};
}

inline Expr Column(int index, Type type) {
  Expr expr;
  expr.type = type;
  expr.code = {Step(Op::kColumn, type, index)};
  expr.max_stack = 1;
  return expr;
}

inline Expr Constant(Type type, Datum value) {
  Expr expr;
  expr.type = type;
  if (type == Type::kVarchar && !value.is_null) {
    expr.constant_text.push_back(
        std::make_shared<const std::string>(value.text()));
    value = Datum::Text(*expr.constant_text.back());
  }
  expr.constants = {value};
  expr.code = {Step(Op::kConstant, type, 0)};
  expr.max_stack = 1;
  return expr;
}

// Appends the program of `next`, its constants and jumps moved, to `expr`;
// `below` values lie on the stack when it starts.
inline void Append(Expr* expr, Expr next, int below) {
  const int first_constant = static_cast<int>(expr->constants.size());
  const int first_step = static_cast<int>(expr->code.size());
  for (Instruction in : next.code) {
    if (in.op == Op::kConstant) in.arg += first_constant;
    if (in.op == Op::kLike) in.arg2 += first_constant;
    if (in.op >= Op::kJump && in.op <= Op::kJumpIfTrue) in.arg += first_step;
    expr->code.push_back(in);
  }
  expr->constants.insert(expr->constants.end(), next.constants.begin(),
                         next.constants.end());
  for (auto& text : next.constant_text) {
    expr->constant_text.push_back(std::move(text));
  }
  expr->max_stack = std::max(expr->max_stack, below + next.max_stack);
}

inline Expr Unary(Op op, Expr a, Type result) {
  const Type operand = a.type;
  a.code.push_back({.op = op, .type = operand, .to = result});
  a.type = result;
  return a;
}

inline Expr Binary(Op op, Expr a, Expr b, Type result) {
  const Type operand = a.type;
  Append(&a, std::move(b), 1);
  a.code.push_back({.op = op, .type = operand, .to = result});
  a.type = result;
  return a;
}

inline Expr CastTo(Expr a, Type to) {
  return Unary(Op::kCast, std::move(a), to);
}

inline Expr Compare(Op op, Expr a, Expr b) {
  return Binary(op, std::move(a), std::move(b), Type::kBoolean);
}

inline Expr In(Expr operand, std::vector<Expr> list) {
  const Type type = operand.type;
  const int size = static_cast<int>(list.size());
  int below = 1;
  for (Expr& element : list) Append(&operand, std::move(element), below++);
  operand.code.push_back(
      {.op = Op::kIn, .type = type, .to = Type::kBoolean, .arg = size});
  operand.type = Type::kBoolean;
  return operand;
}

}  // namespace tidegate::testing

#endif  // TIDEGATE_VIEWS_PLAN_EXPR_TESTING_H_
