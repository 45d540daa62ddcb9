#include "views/fold/aggregate.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::At;
using testing::Column;

AggregateCall Call(AggregateKind kind, Type argument, Type result) {
  AggregateCall call;
  call.kind = kind;
  call.argument = Column(0, argument);
  call.result = result;
  return call;
}

// One aggregate, its state taken through bytes after every value.
class Folded {
 public:
  Folded(AggregateKind kind, Type argument, Type result)
      : call_(Call(kind, argument, result)), aggregate_(&call_) {}

  Folded& Add(Datum value) {
    aggregate_.Update({.value = value}, At(0, 0, 0), &state_);
    return Recode();
  }
  Folded& Add(Datum value, Datum ts, int32_t partition, int64_t offset) {
    // The event's own time does not matter, only the ORDER BY value.
    aggregate_.Update({.value = value, .order_by = ts},
                      At(-offset, partition, offset), &state_);
    return Recode();
  }

  std::string Result() {
    Datum result;
    const absl::Status status = aggregate_.Result(state_, &result);
    if (!status.ok()) return std::string(status.message());
    return DatumText(call_.result, result);
  }
  std::string Bytes() {
    std::string bytes;
    aggregate_.Encode(state_, &bytes);
    return bytes;
  }

 private:
  Folded& Recode() {
    const std::string bytes = Bytes();
    absl::string_view in = bytes;
    state_ = AggregateState();
    EXPECT_TRUE(aggregate_.Decode(&in, &state_));
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(Bytes(), bytes);
    return *this;
  }

  const AggregateCall call_;
  const Aggregate aggregate_;
  AggregateState state_;
};

const Datum kNull = Datum::Null();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

Folded Sum(Type type) {
  return Folded(AggregateKind::kSum, type,
                type == Type::kDouble ? Type::kDouble : Type::kBigint);
}

TEST(AggregateTest, Counts) {
  Folded all(AggregateKind::kCountStar, Type::kBigint, Type::kBigint);
  EXPECT_EQ(all.Result(), "0");
  EXPECT_EQ(all.Add(kNull).Add(Datum::Int(1)).Result(), "2");
  Folded values(AggregateKind::kCount, Type::kBigint, Type::kBigint);
  EXPECT_EQ(values.Add(kNull).Add(Datum::Int(1)).Result(), "1");
}

TEST(AggregateTest, IntegerSumsAreExactBeyondBigint) {
  Folded sum = Sum(Type::kBigint);
  EXPECT_EQ(sum.Result(), "NULL");
  EXPECT_EQ(sum.Add(kNull).Result(), "NULL");
  EXPECT_EQ(sum.Add(Datum::Int(kMax)).Result(), "9223372036854775807");
  EXPECT_EQ(sum.Add(Datum::Int(kMax)).Result(),
            "bigint out of range: sum is 18446744073709551614");
  EXPECT_EQ(sum.Add(Datum::Int(kMin)).Add(Datum::Int(kMin)).Result(), "-2");
  EXPECT_EQ(sum.Add(Datum::Int(kMin)).Result(),
            "bigint out of range: sum is -9223372036854775810");
}

TEST(AggregateTest, DoubleSumsAreCompensated) {
  Folded sum = Sum(Type::kDouble);
  EXPECT_EQ(sum.Result(), "NULL");
  sum.Add(Datum::Double(1)).Add(Datum::Double(1e100));
  sum.Add(Datum::Double(1)).Add(Datum::Double(-1e100));
  EXPECT_EQ(sum.Result(), "2");
}

TEST(AggregateTest, DoubleSumsOfSpecialValues) {
  const double inf = std::numeric_limits<double>::infinity();
  Folded sum = Sum(Type::kDouble);
  EXPECT_EQ(sum.Add(Datum::Double(inf)).Add(Datum::Double(1)).Result(),
            "Infinity");
  EXPECT_EQ(sum.Add(Datum::Double(-inf)).Result(), "NaN");
}

TEST(AggregateTest, Averages) {
  Folded integers(AggregateKind::kAvg, Type::kBigint, Type::kDouble);
  EXPECT_EQ(integers.Result(), "NULL");
  EXPECT_EQ(integers.Add(Datum::Int(1)).Add(kNull).Add(Datum::Int(2)).Result(),
            "1.5");
  Folded big(AggregateKind::kAvg, Type::kBigint, Type::kDouble);
  EXPECT_EQ(big.Add(Datum::Int(kMax)).Add(Datum::Int(kMax)).Result(),
            "9.223372036854776e+18");
  Folded doubles(AggregateKind::kAvg, Type::kDouble, Type::kDouble);
  EXPECT_EQ(doubles.Add(Datum::Double(.5)).Add(Datum::Double(1)).Result(),
            "0.75");
}

TEST(AggregateTest, Extremes) {
  const struct {
    Type type;
    std::vector<Datum> values;
    const char* min;
    const char* max;
  } kCases[] = {
      {Type::kBigint, {kNull}, "NULL", "NULL"},
      {Type::kInt, {Datum::Int(3), kNull, Datum::Int(-1)}, "-1", "3"},
      {Type::kBigint,
       {Datum::Int(kMax), Datum::Int(kMin)},
       "-9223372036854775808",
       "9223372036854775807"},
      {Type::kBoolean,
       {Datum::Bool(true), Datum::Bool(false)},
       "false",
       "true"},
      {Type::kVarchar,
       {Datum::Text("b"), Datum::Text(""), Datum::Text("ab"), kNull},
       "\"\"",
       "\"b\""},
      {Type::kTimestamptz,
       {Datum::Int(1'000'000), Datum::Int(0)},
       "1970-01-01T00:00:00Z",
       "1970-01-01T00:00:01Z"},
      {Type::kDouble,
       {Datum::Double(1), Datum::Double(NAN), Datum::Double(-INFINITY)},
       "-Infinity",
       "NaN"},
      {Type::kDouble, {Datum::Double(0.0), Datum::Double(-0.0)}, "-0", "0"},
  };
  for (const auto& test : kCases) {
    Folded min(AggregateKind::kMin, test.type, test.type);
    Folded max(AggregateKind::kMax, test.type, test.type);
    Folded backward(AggregateKind::kMin, test.type, test.type);
    for (size_t i = 0; i < test.values.size(); ++i) {
      min.Add(test.values[i]);
      max.Add(test.values[i]);
      backward.Add(test.values[test.values.size() - 1 - i]);
    }
    EXPECT_EQ(min.Result(), test.min);
    EXPECT_EQ(max.Result(), test.max);
    EXPECT_EQ(min.Bytes(), backward.Bytes());
  }
}

TEST(AggregateTest, FirstAndLastByOrderThenPartitionThenOffset) {
  for (const Type type : {Type::kBigint, Type::kVarchar}) {
    const auto value = [type](int64_t i) {
      static const char* const kTexts[] = {"0", "1", "2", "3", "4"};
      return type == Type::kVarchar ? Datum::Text(kTexts[i]) : Datum::Int(i);
    };
    const auto shown = [&](int64_t i) { return DatumText(type, value(i)); };
    Folded first(AggregateKind::kFirstValue, type, type);
    Folded last(AggregateKind::kLastValue, type, type);
    const auto add = [&](Datum v, Datum ts, int32_t partition, int64_t offset) {
      first.Add(v, ts, partition, offset);
      last.Add(v, ts, partition, offset);
    };
    EXPECT_EQ(first.Result(), "NULL");
    add(value(1), kNull, 0, 1);  // no place in the order: ignored
    EXPECT_EQ(last.Result(), "NULL");
    add(value(1), Datum::Int(10), 1, 5);
    add(value(2), Datum::Int(10), 0, 9);  // before it: partition
    EXPECT_EQ(first.Result(), shown(2));
    EXPECT_EQ(last.Result(), shown(1));
    add(value(3), Datum::Int(10), 1, 6);  // after it: offset
    EXPECT_EQ(last.Result(), shown(3));
    add(kNull, Datum::Int(11), 0, 1);  // NULL is a value
    EXPECT_EQ(last.Result(), "NULL");
    add(value(4), Datum::Int(9), 7, 7);
    EXPECT_EQ(first.Result(), shown(4));
    EXPECT_EQ(last.Result(), "NULL");
    add(value(0), Datum::Int(12), 0, 0);
    EXPECT_EQ(last.Result(), shown(0));
  }
}

TEST(AggregateTest, TruncatedStatesAreRefused) {
  const AggregateCall call =
      Call(AggregateKind::kLastValue, Type::kVarchar, Type::kVarchar);
  const Aggregate aggregate(&call);
  AggregateState state;
  aggregate.Update({.value = Datum::Text("text"), .order_by = Datum::Int(1)},
                   At(1, 2, 3), &state);
  std::string bytes;
  aggregate.Encode(state, &bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    absl::string_view in = absl::string_view(bytes).substr(0, size);
    EXPECT_FALSE(aggregate.Decode(&in, &state)) << size;
  }
}

}  // namespace
}  // namespace tidegate
