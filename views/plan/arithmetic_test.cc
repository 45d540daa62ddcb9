#include "views/plan/arithmetic.h"

#include <cmath>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int64_t kMin64 = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax64 = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin32 = std::numeric_limits<int32_t>::min();
constexpr int64_t kMax32 = std::numeric_limits<int32_t>::max();

TEST(ArithmeticTest, Integers) {
  const struct {
    Op op;
    int64_t a, b, result;
  } kCases[] = {
      {Op::kAdd, 2, 3, 5},          {Op::kSubtract, 2, 3, -1},
      {Op::kMultiply, -2, 3, -6},   {Op::kDivide, 7, 2, 3},
      {Op::kDivide, -7, 2, -3},     {Op::kDivide, 7, -2, -3},
      {Op::kModulo, 7, 3, 1},       {Op::kModulo, -7, 3, -1},
      {Op::kModulo, 7, -3, 1},      {Op::kModulo, -7, -3, -1},
      {Op::kModulo, kMin32, -1, 0}, {Op::kDivide, 5, -1, -5},
  };
  for (const Type type : {Type::kInt, Type::kBigint}) {
    for (const auto& test : kCases) {
      Datum result;
      ASSERT_TRUE(Arithmetic(test.op, type, Datum::Int(test.a),
                             Datum::Int(test.b), &result));
      EXPECT_EQ(result.i, test.result) << test.a << " " << test.b;
    }
  }
  Datum result;
  ASSERT_TRUE(Arithmetic(Op::kModulo, Type::kBigint, Datum::Int(kMin64),
                         Datum::Int(-1), &result));
  EXPECT_EQ(result.i, 0);
}

TEST(ArithmeticTest, ErrorsNameTheOperationAndTheValues) {
  const struct {
    Op op;
    Type type;
    Datum a, b;
    const char* message;
  } kCases[] = {
      {Op::kAdd, Type::kBigint, Datum::Int(kMax64), Datum::Int(1),
       "bigint out of range: 9223372036854775807 + 1"},
      {Op::kSubtract, Type::kBigint, Datum::Int(kMin64), Datum::Int(1),
       "bigint out of range: -9223372036854775808 - 1"},
      {Op::kMultiply, Type::kBigint, Datum::Int(kMax64), Datum::Int(2),
       "bigint out of range: 9223372036854775807 * 2"},
      {Op::kDivide, Type::kBigint, Datum::Int(kMin64), Datum::Int(-1),
       "bigint out of range: -9223372036854775808 / -1"},
      {Op::kAdd, Type::kInt, Datum::Int(kMax32), Datum::Int(1),
       "int out of range: 2147483647 + 1"},
      {Op::kSubtract, Type::kInt, Datum::Int(kMin32), Datum::Int(1),
       "int out of range: -2147483648 - 1"},
      {Op::kMultiply, Type::kInt, Datum::Int(65536), Datum::Int(32768),
       "int out of range: 65536 * 32768"},
      {Op::kDivide, Type::kInt, Datum::Int(kMin32), Datum::Int(-1),
       "int out of range: -2147483648 / -1"},
      {Op::kDivide, Type::kInt, Datum::Int(1), Datum::Int(0),
       "division by zero: 1 / 0"},
      {Op::kModulo, Type::kBigint, Datum::Int(1), Datum::Int(0),
       "division by zero: 1 % 0"},
      {Op::kDivide, Type::kDouble, Datum::Double(1), Datum::Double(-0.0),
       "division by zero: 1 / -0"},
      {Op::kModulo, Type::kDouble, Datum::Double(1), Datum::Double(0),
       "division by zero: 1 % 0"},
      {Op::kMultiply, Type::kDouble, Datum::Double(1e308), Datum::Double(10),
       "double precision out of range: 1e+308 * 10"},
  };
  for (const auto& test : kCases) {
    Datum result = Datum::Int(42);
    EXPECT_FALSE(Arithmetic(test.op, test.type, test.a, test.b, &result));
    EXPECT_EQ(result.i, 42);
    const absl::Status status =
        ArithmeticError(test.op, test.type, test.a, test.b);
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(status.message(), test.message);
  }
}

TEST(ArithmeticTest, IntNeverLeavesItsRange) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  int in_range = 0;
  for (int i = 0; i < 20'000; ++i) {
    const int shift = static_cast<int>(random() % 32);
    const int64_t a = static_cast<int32_t>(random()) >> shift;
    const int64_t b = static_cast<int32_t>(random()) >> (random() % 32);
    const int64_t exact[] = {a + b, a - b, a * b};
    for (int op = 0; op < 3; ++op) {
      Datum result;
      const bool fits = exact[op] >= kMin32 && exact[op] <= kMax32;
      in_range += fits;
      EXPECT_EQ(Arithmetic(static_cast<Op>(static_cast<int>(Op::kAdd) + op),
                           Type::kInt, Datum::Int(a), Datum::Int(b), &result),
                fits);
      if (fits) {
        EXPECT_EQ(result.i, exact[op]);
      }
    }
  }
  EXPECT_GT(in_range, 0);
  EXPECT_LT(in_range, 60'000);
}

TEST(ArithmeticTest, Doubles) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Datum result;
  ASSERT_TRUE(Arithmetic(Op::kDivide, Type::kDouble, Datum::Double(1),
                         Datum::Double(4), &result));
  EXPECT_EQ(result.d, 0.25);
  ASSERT_TRUE(Arithmetic(Op::kModulo, Type::kDouble, Datum::Double(-5.5),
                         Datum::Double(2), &result));
  EXPECT_EQ(result.d, -1.5);
  ASSERT_TRUE(Arithmetic(Op::kAdd, Type::kDouble, Datum::Double(kInf),
                         Datum::Double(1), &result));
  EXPECT_EQ(result.d, kInf);
  ASSERT_TRUE(Arithmetic(Op::kSubtract, Type::kDouble, Datum::Double(kInf),
                         Datum::Double(kInf), &result));
  EXPECT_TRUE(std::isnan(result.d));
}

TEST(ArithmeticTest, NullPropagates) {
  for (const Op op :
       {Op::kAdd, Op::kSubtract, Op::kMultiply, Op::kDivide, Op::kModulo}) {
    for (const Type type : {Type::kInt, Type::kBigint, Type::kDouble}) {
      Datum zero = type == Type::kDouble ? Datum::Double(0) : Datum::Int(0);
      Datum result = zero;
      EXPECT_TRUE(Arithmetic(op, type, Datum::Null(), zero, &result));
      EXPECT_TRUE(result.is_null);
      result = zero;
      EXPECT_TRUE(Arithmetic(op, type, zero, Datum::Null(), &result));
      EXPECT_TRUE(result.is_null);
    }
  }
}

TEST(NegateTest, ChecksTheRange) {
  Datum result;
  ASSERT_TRUE(Negate(Type::kInt, Datum::Int(kMax32), &result));
  EXPECT_EQ(result.i, -kMax32);
  ASSERT_TRUE(Negate(Type::kDouble, Datum::Double(0), &result));
  EXPECT_TRUE(std::signbit(result.d));
  ASSERT_TRUE(Negate(Type::kBigint, Datum::Null(), &result));
  EXPECT_TRUE(result.is_null);
  EXPECT_FALSE(Negate(Type::kInt, Datum::Int(kMin32), &result));
  EXPECT_FALSE(Negate(Type::kBigint, Datum::Int(kMin64), &result));
  EXPECT_EQ(NegateError(Type::kInt, Datum::Int(kMin32)).message(),
            "int out of range: -(-2147483648)");
}

}  // namespace
}  // namespace tidegate
