#include "views/plan/expr.h"

#include <cmath>

#include "gtest/gtest.h"
#include "views/plan/datum_text.h"
#include "views/plan/expr_testing.h"

namespace tidegate {
namespace {

using testing::Append;
using testing::CastTo;
using testing::Column;
using testing::Compare;
using testing::Constant;
using testing::In;
using testing::Step;

const Datum kTrue = Datum::Bool(true);
const Datum kFalse = Datum::Bool(false);
const Datum kNull = Datum::Null();

// The result as text, or the error's.
std::string Answer(const Expr& expr, const std::vector<Datum>& row = {}) {
  TextArena arena;
  Datum result;
  const absl::Status status = Evaluate(expr, row, &arena, &result);
  if (!status.ok()) return std::string(status.message());
  return DatumText(expr.type, result);
}

Expr Boolean(Datum value) { return Constant(Type::kBoolean, value); }
Expr Text(const char* text) {
  return Constant(Type::kVarchar, Datum::Text(text));
}
Expr Bigint(int64_t value) {
  return Constant(Type::kBigint, Datum::Int(value));
}
Expr NullOf(Type type) { return Constant(type, Datum::Null()); }

TEST(EvaluateTest, ThreeValuedLogic) {
  const struct {
    Datum a, b;
    const char* and_result;
    const char* or_result;
  } kCases[] = {
      {kTrue, kTrue, "true", "true"},     {kTrue, kFalse, "false", "true"},
      {kTrue, kNull, "NULL", "true"},     {kFalse, kTrue, "false", "true"},
      {kFalse, kFalse, "false", "false"}, {kFalse, kNull, "false", "NULL"},
      {kNull, kTrue, "NULL", "true"},     {kNull, kFalse, "false", "NULL"},
      {kNull, kNull, "NULL", "NULL"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(Answer(Compare(Op::kAnd, Boolean(test.a), Boolean(test.b))),
              test.and_result);
    EXPECT_EQ(Answer(Compare(Op::kOr, Boolean(test.a), Boolean(test.b))),
              test.or_result);
  }
  const auto negated = [](Datum value) {
    return Answer(testing::Unary(Op::kNot, Boolean(value), Type::kBoolean));
  };
  EXPECT_EQ(negated(kTrue), "false");
  EXPECT_EQ(negated(kFalse), "true");
  EXPECT_EQ(negated(kNull), "NULL");
}

TEST(EvaluateTest, Comparisons) {
  const struct {
    Op op;
    const char* less;
    const char* equal;
    const char* greater;
  } kCases[] = {
      {Op::kEqual, "false", "true", "false"},
      {Op::kNotEqual, "true", "false", "true"},
      {Op::kLess, "true", "false", "false"},
      {Op::kLessEqual, "true", "true", "false"},
      {Op::kGreater, "false", "false", "true"},
      {Op::kGreaterEqual, "false", "true", "true"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(Answer(Compare(test.op, Bigint(1), Bigint(2))), test.less);
    EXPECT_EQ(Answer(Compare(test.op, Bigint(2), Bigint(2))), test.equal);
    EXPECT_EQ(Answer(Compare(test.op, Bigint(3), Bigint(2))), test.greater);
    EXPECT_EQ(Answer(Compare(test.op, Text("a"), Text("b"))), test.less);
    EXPECT_EQ(Answer(Compare(test.op, Boolean(kFalse), Boolean(kTrue))),
              test.less);
    EXPECT_EQ(Answer(Compare(test.op, Bigint(1), NullOf(Type::kBigint))),
              "NULL");
    EXPECT_EQ(Answer(Compare(test.op, NullOf(Type::kVarchar), Text("a"))),
              "NULL");
    // NaN equals itself and is above everything else.
    const auto real = [](double v) {
      return Constant(Type::kDouble, Datum::Double(v));
    };
    EXPECT_EQ(Answer(Compare(test.op, real(INFINITY), real(NAN))), test.less);
    EXPECT_EQ(Answer(Compare(test.op, real(NAN), real(NAN))), test.equal);
    EXPECT_EQ(Answer(Compare(test.op, real(0.0), real(-0.0))), test.equal);
  }
}

TEST(EvaluateTest, ArithmeticOverColumns) {
  // -(c0 * 3 - c1) % 7
  Expr expr = testing::Binary(Op::kMultiply, Column(0, Type::kBigint),
                              Bigint(3), Type::kBigint);
  expr = testing::Binary(Op::kSubtract, std::move(expr),
                         Column(1, Type::kBigint), Type::kBigint);
  expr = testing::Unary(Op::kNegate, std::move(expr), Type::kBigint);
  expr =
      testing::Binary(Op::kModulo, std::move(expr), Bigint(7), Type::kBigint);
  EXPECT_FALSE(expr.is_constant());
  EXPECT_EQ(Answer(expr, {Datum::Int(5), Datum::Int(2)}), "-6");
  EXPECT_EQ(Answer(expr, {Datum::Int(5), Datum::Null()}), "NULL");
  EXPECT_EQ(Answer(expr, {Datum::Int(INT64_MAX), Datum::Int(0)}),
            "bigint out of range: 9223372036854775807 * 3");
  EXPECT_EQ(
      Answer(testing::Unary(Op::kNegate, Bigint(INT64_MIN), Type::kBigint)),
      "bigint out of range: -(-9223372036854775808)");
}

TEST(EvaluateTest, NullTests) {
  const auto run = [](Op op, Datum value) {
    return Answer(
        testing::Unary(op, Constant(Type::kInt, value), Type::kBoolean));
  };
  EXPECT_EQ(run(Op::kIsNull, kNull), "true");
  EXPECT_EQ(run(Op::kIsNull, Datum::Int(0)), "false");
  EXPECT_EQ(run(Op::kIsNotNull, kNull), "false");
  EXPECT_EQ(run(Op::kIsNotNull, Datum::Int(0)), "true");
}

TEST(EvaluateTest, ConcatMakesTextThatOutlivesItsOperands) {
  const auto concat = [](Expr a, Expr b) {
    return Answer(testing::Binary(Op::kConcat, std::move(a), std::move(b),
                                  Type::kVarchar));
  };
  EXPECT_EQ(concat(Text("ab"), Text("c")), "\"abc\"");
  EXPECT_EQ(concat(Text(""), Text("")), "\"\"");
  EXPECT_EQ(concat(Text(""), Text("x")), "\"x\"");
  EXPECT_EQ(concat(Text("a"), NullOf(Type::kVarchar)), "NULL");
  EXPECT_EQ(concat(NullOf(Type::kVarchar), Text("a")), "NULL");
  EXPECT_EQ(concat(CastTo(Bigint(1), Type::kVarchar),
                   CastTo(Bigint(2), Type::kVarchar)),
            "\"12\"");
}

TEST(EvaluateTest, ConcatIsBounded) {
  const std::string half(kMaxTextBytes / 2 + 1, 'x');
  Expr expr = testing::Binary(Op::kConcat, Column(0, Type::kVarchar),
                              Column(0, Type::kVarchar), Type::kVarchar);
  EXPECT_EQ(Answer(expr, {Datum::Text(half)}),
            "text longer than 67108864 bytes: 33554433 || 33554433");
}

TEST(EvaluateTest, LikeTakesItsEscapeFromTheConstants) {
  const auto like = [](Expr text, Expr pattern, const Datum* escape) {
    Expr expr = testing::Binary(Op::kLike, std::move(text), std::move(pattern),
                                Type::kBoolean);
    if (escape != nullptr) {
      expr.code.back().arg = 1;
      expr.code.back().arg2 = static_cast<int32_t>(expr.constants.size());
      expr.constants.push_back(*escape);
    }
    return Answer(expr);
  };
  const Datum bang = Datum::Text("!");
  EXPECT_EQ(like(Text("50%"), Text("50\\%"), nullptr), "true");
  EXPECT_EQ(like(Text("50x"), Text("50!%"), &bang), "false");
  EXPECT_EQ(like(Text("50%"), Text("50!%"), &bang), "true");
  EXPECT_EQ(like(NullOf(Type::kVarchar), Text("%"), nullptr), "NULL");
  EXPECT_EQ(like(Text("a"), NullOf(Type::kVarchar), nullptr), "NULL");
  EXPECT_EQ(like(Text("a"), Text("%"), &kNull), "NULL");
  EXPECT_EQ(like(Text("a"), Text("a!"), &bang),
            "LIKE pattern ends with its escape character: \"a!\"");
}

TEST(EvaluateTest, InWithNulls) {
  const auto in = [](Datum operand, const std::vector<Datum>& list) {
    std::vector<Expr> elements;
    elements.reserve(list.size());
    for (const Datum& d : list) elements.push_back(Constant(Type::kInt, d));
    return Answer(In(Constant(Type::kInt, operand), std::move(elements)));
  };
  EXPECT_EQ(in(Datum::Int(1), {Datum::Int(2), Datum::Int(1)}), "true");
  EXPECT_EQ(in(Datum::Int(1), {Datum::Int(2), Datum::Int(3)}), "false");
  EXPECT_EQ(in(Datum::Int(1), {kNull, Datum::Int(1)}), "true");
  EXPECT_EQ(in(Datum::Int(1), {Datum::Int(2), kNull}), "NULL");
  EXPECT_EQ(in(kNull, {Datum::Int(2)}), "NULL");
}

TEST(EvaluateTest, CastOfTheTop) {
  EXPECT_EQ(Answer(CastTo(Text("12"), Type::kBigint)), "12");
  EXPECT_EQ(Answer(CastTo(Text("x"), Type::kBigint)),
            "not valid as BIGINT: \"x\"");
}

// CASE WHEN c0 THEN 10 / c1 ELSE -1 END
Expr Case() {
  Expr expr = Column(0, Type::kBoolean);
  expr.code.push_back(Step(Op::kJumpIfNotTrue, Type::kBoolean));
  Append(&expr,
         testing::Binary(Op::kDivide, Bigint(10), Column(1, Type::kBigint),
                         Type::kBigint),
         0);
  expr.code.push_back(Step(Op::kJump, Type::kBigint));
  expr.code[1].arg = static_cast<int>(expr.code.size());
  Append(&expr, Bigint(-1), 0);
  expr.code[expr.code.size() - 2].arg = static_cast<int>(expr.code.size());
  expr.type = Type::kBigint;
  return expr;
}

TEST(EvaluateTest, CaseEvaluatesOnlyItsBranch) {
  EXPECT_EQ(Answer(Case(), {kTrue, Datum::Int(5)}), "2");
  EXPECT_EQ(Answer(Case(), {kTrue, Datum::Int(0)}), "division by zero: 10 / 0");
  EXPECT_EQ(Answer(Case(), {kFalse, Datum::Int(0)}), "-1");
  EXPECT_EQ(Answer(Case(), {kNull, Datum::Int(0)}), "-1");
}

TEST(EvaluateTest, CoalesceStopsAtTheFirstValue) {
  Expr expr = Column(0, Type::kBigint);
  expr.code.push_back(Step(Op::kJumpIfNotNull, Type::kBigint));
  Append(&expr,
         testing::Binary(Op::kDivide, Bigint(10), Column(1, Type::kBigint),
                         Type::kBigint),
         0);
  expr.code[1].arg = static_cast<int>(expr.code.size());
  EXPECT_EQ(Answer(expr, {Datum::Int(7), Datum::Int(0)}), "7");
  EXPECT_EQ(Answer(expr, {kNull, Datum::Int(5)}), "2");
  EXPECT_EQ(Answer(expr, {kNull, kNull}), "NULL");
}

// c0 AND/OR (10 / c1 > 1), the right side skipped where the left one decides.
Expr ShortCircuit(Op jump, Op op) {
  Expr expr = Column(0, Type::kBoolean);
  expr.code.push_back(Step(jump, Type::kBoolean));
  Append(&expr,
         Compare(Op::kGreater,
                 testing::Binary(Op::kDivide, Bigint(10),
                                 Column(1, Type::kBigint), Type::kBigint),
                 Bigint(1)),
         1);
  expr.code.push_back(Step(op, Type::kBoolean));
  expr.code[1].arg = static_cast<int>(expr.code.size());
  return expr;
}

TEST(EvaluateTest, AndOrSkipTheirRightSide) {
  const Expr both = ShortCircuit(Op::kJumpIfFalse, Op::kAnd);
  EXPECT_EQ(Answer(both, {kFalse, Datum::Int(0)}), "false");
  EXPECT_EQ(Answer(both, {kTrue, Datum::Int(0)}), "division by zero: 10 / 0");
  EXPECT_EQ(Answer(both, {kTrue, Datum::Int(2)}), "true");
  EXPECT_EQ(Answer(both, {kNull, Datum::Int(2)}), "NULL");
  EXPECT_EQ(Answer(both, {kNull, Datum::Int(20)}), "false");
  const Expr either = ShortCircuit(Op::kJumpIfTrue, Op::kOr);
  EXPECT_EQ(Answer(either, {kTrue, Datum::Int(0)}), "true");
  EXPECT_EQ(Answer(either, {kFalse, Datum::Int(0)}),
            "division by zero: 10 / 0");
  EXPECT_EQ(Answer(either, {kFalse, Datum::Int(20)}), "false");
  EXPECT_EQ(Answer(either, {kNull, Datum::Int(20)}), "NULL");
  EXPECT_EQ(Answer(either, {kNull, Datum::Int(2)}), "true");
}

TEST(EvaluateTest, UsesTheWholeStack) {
  std::vector<Expr> list;
  list.reserve(kMaxExprStack - 1);
  for (int i = 0; i < kMaxExprStack - 1; ++i) list.push_back(Bigint(i));
  const Expr expr = In(Bigint(kMaxExprStack - 2), std::move(list));
  ASSERT_EQ(expr.max_stack, kMaxExprStack);
  EXPECT_EQ(Answer(expr), "true");
}

TEST(ExprTest, IsConstant) {
  EXPECT_TRUE(Compare(Op::kLess, Bigint(1), Bigint(2)).is_constant());
  EXPECT_FALSE(Column(0, Type::kInt).is_constant());
}

TEST(TextArenaTest, TextStaysUntilReset) {
  TextArena arena;
  for (int round = 0; round < 3; ++round) {
    std::vector<absl::string_view> kept;
    std::vector<std::string> expected;
    for (int i = 0; i < 2'000; ++i) {
      // Some larger than a block.
      expected.emplace_back(i % 500 == 0 ? 100'000 : i % 90, 'a' + i % 26);
      kept.push_back(arena.Copy(expected.back()));
    }
    for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i], expected[i]);
    arena.Reset();
  }
}

}  // namespace
}  // namespace tidegate
