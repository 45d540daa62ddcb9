#include "views/fold/aggregate.h"

#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::At;
using testing::Column;

AggregateCall Call(AggregateKind kind, Type argument, Type result,
                   Type order_by = Type::kTimestamptz) {
  AggregateCall call;
  call.kind = kind;
  call.argument = Column(0, argument);
  call.order_by = Column(1, order_by);
  call.result = result;
  return call;
}

// One aggregate, its state taken through bytes after every value.
class Folded {
 public:
  Folded(AggregateKind kind, Type argument, Type result,
         Type order_by = Type::kTimestamptz)
      : call_(Call(kind, argument, result, order_by)), aggregate_(&call_) {}

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
  // For min_by and max_by: the event's own place decides ties.
  Folded& AddBy(Datum value, Datum by, EventOrder order) {
    aggregate_.Update({.value = value, .order_by = by}, order, &state_);
    return Recode();
  }
  Folded& Merge(const Folded& other) {
    aggregate_.Merge(other.state_, &state_);
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

TEST(AggregateTest, MergedDoubleSums) {
  const auto of = [](double value) {
    Folded sum = Sum(Type::kDouble);
    sum.Add(Datum::Double(value));
    return sum;
  };
  Folded sum = of(1);
  // The compensation is merged too.
  Folded big = of(1e100);
  big.Add(Datum::Double(1));
  EXPECT_EQ(sum.Merge(big).Merge(of(-1e100)).Result(), "2");
  EXPECT_EQ(sum.Merge(of(INFINITY)).Merge(of(1)).Result(), "Infinity");
  EXPECT_EQ(sum.Merge(of(-INFINITY)).Result(), "NaN");
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

TEST(AggregateTest, TheValueWhereAnotherIsLeastOrGreatest) {
  Folded min(AggregateKind::kMinBy, Type::kVarchar, Type::kVarchar,
             Type::kBigint);
  Folded max(AggregateKind::kMaxBy, Type::kVarchar, Type::kVarchar,
             Type::kBigint);
  const auto add = [&](Datum x, Datum y, EventOrder order) {
    min.AddBy(x, y, order);
    max.AddBy(x, y, order);
  };
  EXPECT_EQ(min.Result(), "NULL");
  add(Datum::Text("never"), kNull, At(1, 0, 1));
  EXPECT_EQ(max.Result(), "NULL");
  add(Datum::Text("a"), Datum::Int(5), At(9, 0, 2));
  EXPECT_EQ(min.Result(), "\"a\"");
  EXPECT_EQ(max.Result(), "\"a\"");
  add(Datum::Text("less"), Datum::Int(kMin), At(9, 0, 3));
  add(Datum::Text("more"), Datum::Int(kMax), At(9, 0, 4));
  EXPECT_EQ(min.Result(), "\"less\"");
  EXPECT_EQ(max.Result(), "\"more\"");
  // NULL is a value; of equals, the earliest event's counts.
  add(kNull, Datum::Int(kMin), At(8, 1, 7));
  EXPECT_EQ(min.Result(), "NULL");
  add(Datum::Text("later"), Datum::Int(kMin), At(8, 2, 0));
  EXPECT_EQ(min.Result(), "NULL");
  add(Datum::Text("earlier partition"), Datum::Int(kMax), At(9, -1, 9));
  EXPECT_EQ(max.Result(), "\"earlier partition\"");
  add(Datum::Text(""), Datum::Int(kMin), At(7, 3, 3));
  EXPECT_EQ(min.Result(), "\"\"");
}

TEST(AggregateTest, WhatMinByAndMaxByGoBy) {
  const struct {
    Type type;
    std::vector<Datum> by;  // x is the position
    const char* min;
    const char* max;
  } kCases[] = {
      {Type::kBoolean, {Datum::Bool(true), Datum::Bool(false)}, "1", "0"},
      {Type::kInt, {Datum::Int(-1), Datum::Int(-2), kNull}, "1", "0"},
      {Type::kTimestamptz, {kNull, Datum::Int(-5), Datum::Int(7)}, "1", "2"},
      {Type::kDouble,
       {Datum::Double(1), Datum::Double(NAN), Datum::Double(-INFINITY)},
       "2",
       "1"},
      // -0 equals 0, and one NaN another: the earlier event's counts.
      {Type::kDouble,
       {Datum::Double(0.0), Datum::Double(-0.0), Datum::Double(0.0)},
       "0",
       "0"},
      {Type::kDouble, {Datum::Double(-NAN), Datum::Double(NAN)}, "0", "0"},
  };
  for (const auto& test : kCases) {
    Folded min(AggregateKind::kMinBy, Type::kInt, Type::kInt, test.type);
    Folded max(AggregateKind::kMaxBy, Type::kInt, Type::kInt, test.type);
    Folded backward(AggregateKind::kMaxBy, Type::kInt, Type::kInt, test.type);
    const auto size = static_cast<int64_t>(test.by.size());
    for (int64_t i = 0; i < size; ++i) {
      const int64_t j = size - 1 - i;
      min.AddBy(Datum::Int(i), test.by[i], At(0, 0, i));
      max.AddBy(Datum::Int(i), test.by[i], At(0, 0, i));
      backward.AddBy(Datum::Int(j), test.by[j], At(0, 0, j));
    }
    EXPECT_EQ(min.Result(), test.min) << TypeName(test.type);
    EXPECT_EQ(max.Result(), test.max) << TypeName(test.type);
    EXPECT_EQ(max.Bytes(), backward.Bytes()) << TypeName(test.type);
  }
}

// Of all four, in the order of kVariances.
std::string Variances(const std::vector<Datum>& values, Type type) {
  constexpr AggregateKind kVariances[] = {
      AggregateKind::kVarPop, AggregateKind::kVarSamp,
      AggregateKind::kStddevPop, AggregateKind::kStddevSamp};
  std::string all;
  for (const AggregateKind kind : kVariances) {
    Folded folded(kind, type, Type::kDouble);
    // Again, each value merged in by itself.
    Folded merged(kind, type, Type::kDouble);
    for (const Datum& value : values) {
      folded.Add(value);
      Folded single(kind, type, Type::kDouble);
      merged.Merge(single.Add(value));
    }
    EXPECT_EQ(merged.Result(), folded.Result());
    absl::StrAppend(&all, all.empty() ? "" : " ", folded.Result());
  }
  return all;
}

TEST(AggregateTest, Variances) {
  const auto of = [](const std::vector<double>& values) {
    std::vector<Datum> datums;
    datums.reserve(values.size());
    for (const double value : values) datums.push_back(Datum::Double(value));
    return Variances(datums, Type::kDouble);
  };
  EXPECT_EQ(of({}), "NULL NULL NULL NULL");
  EXPECT_EQ(of({5}), "0 NULL 0 NULL");
  EXPECT_EQ(of({1, 3}), "1 2 1 1.4142135623730951");
  EXPECT_EQ(Variances({kNull, Datum::Int(1), kNull, Datum::Int(3)}, Type::kInt),
            "1 2 1 1.4142135623730951");
  // Sums of squares would cancel to nothing.
  EXPECT_EQ(of({1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}),
            "22.5 30 4.743416490252569 5.477225575051661");
  const std::string nan = "NaN NaN NaN NaN";
  EXPECT_EQ(of({1, NAN, 2}), nan);
  EXPECT_EQ(of({1, INFINITY, 2}), nan);
  EXPECT_EQ(of({INFINITY, INFINITY}), nan);
  EXPECT_EQ(of({-INFINITY, 1, INFINITY}), nan);
  EXPECT_EQ(of({INFINITY}), "NaN NULL NaN NULL");
  // Beyond the range, as with sums; the mean is not.
  const std::string infinite = "Infinity Infinity Infinity Infinity";
  EXPECT_EQ(of({-1.7e308, 1.7e308, 1}), infinite);
  EXPECT_EQ(of({1e200, -1e200}), infinite);
  EXPECT_EQ(of({-1.7e308, 1.7e308, NAN}), nan);
}

TEST(AggregateTest, MergingNothingChangesNothing) {
  Folded sum = Sum(Type::kBigint);
  Folded nothing = Sum(Type::kBigint);
  EXPECT_EQ(sum.Merge(nothing).Result(), "NULL");
  EXPECT_EQ(sum.Add(Datum::Int(2)).Merge(nothing).Result(), "2");
  EXPECT_EQ(nothing.Merge(sum).Result(), "2");
}

// Every kind, over text where it takes text.
std::vector<AggregateCall> AllKinds() {
  std::vector<AggregateCall> calls;
  for (int kind = 0; kind <= static_cast<int>(AggregateKind::kVarPop); ++kind) {
    for (const Type type : {Type::kBoolean, Type::kInt, Type::kBigint,
                            Type::kDouble, Type::kVarchar}) {
      calls.push_back(
          Call(static_cast<AggregateKind>(kind), type, type, Type::kDouble));
    }
  }
  return calls;
}

TEST(AggregateTest, TruncatedStatesAreRefused) {
  for (const AggregateCall& call : AllKinds()) {
    const Aggregate aggregate(&call);
    const Type type = call.argument->type;
    const Datum value = type == Type::kVarchar   ? Datum::Text("text")
                        : type == Type::kDouble  ? Datum::Double(1.5)
                        : type == Type::kBoolean ? Datum::Bool(true)
                                                 : Datum::Int(300);
    for (const Datum& x : {value, kNull}) {
      AggregateState state;
      aggregate.Update({.value = x, .order_by = Datum::Double(1)}, At(1, 2, 3),
                       &state);
      std::string bytes;
      aggregate.Encode(state, &bytes);
      ASSERT_FALSE(bytes.empty());
      for (size_t size = 0; size < bytes.size(); ++size) {
        absl::string_view in = absl::string_view(bytes).substr(0, size);
        EXPECT_FALSE(aggregate.Decode(&in, &state)) << size;
      }
      // What follows a state is left alone.
      absl::StrAppend(&bytes, "rest");
      absl::string_view in = bytes;
      EXPECT_TRUE(aggregate.Decode(&in, &state));
      EXPECT_EQ(in, "rest");
    }
  }
}

TEST(AggregateTest, MalformedStatesAreRefused) {
  const auto refused = [](AggregateKind kind, Type type, Type order_by,
                          absl::string_view bytes) {
    const AggregateCall call = Call(kind, type, type, order_by);
    AggregateState state;
    return !Aggregate(&call).Decode(&bytes, &state);
  };
  using Kind = AggregateKind;
  const std::string one = "\x01";
  const std::string place("\x02\x02\x02", 3);
  const std::string by("\x01\0\0\0\0\0\0\0", 8);
  const std::string flag("\0", 1);
  const auto min_by = [&](absl::string_view bytes) {
    return refused(Kind::kMinBy, Type::kBoolean, Type::kBoolean, bytes);
  };
  EXPECT_FALSE(min_by(one + place + by + flag + "\x02"));
  EXPECT_TRUE(min_by("\x02" + place + by + flag + "\x02"));  // two winners
  EXPECT_TRUE(min_by(one + place + by + "\x02" + "\x02"));   // is it NULL?
  EXPECT_TRUE(min_by(one + place + by + flag + "\x04"));     // no BOOLEAN
  EXPECT_TRUE(min_by(one + place + "\x02" + by.substr(1) + flag + "\x02"));
  // A partition of more than 32 bits.
  EXPECT_TRUE(
      min_by(one + "\x02\x80\x80\x80\x80\x20\x02" + by + flag + "\x02"));
  EXPECT_TRUE(refused(Kind::kMax, Type::kBigint, Type::kBigint, "\x03\x02"));
  EXPECT_FALSE(refused(Kind::kMax, Type::kBigint, Type::kBigint, "\x01\x02"));
  // 2^32 is no INT, and 2^64 - 1 no count.
  EXPECT_TRUE(refused(Kind::kMax, Type::kInt, Type::kBigint,
                      "\x01\x80\x80\x80\x80\x20"));
  EXPECT_TRUE(refused(Kind::kCount, Type::kInt, Type::kBigint,
                      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
}

}  // namespace
}  // namespace tidegate
