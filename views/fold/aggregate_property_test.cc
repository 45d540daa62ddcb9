// Every aggregate over every type, folded in any order and merged from any
// parts, against what plain loops over all values compute.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <random>

#include "absl/numeric/int128.h"
#include "gtest/gtest.h"
#include "views/fold/aggregate.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::At;
using testing::Column;
using Kind = AggregateKind;

constexpr Type kTypes[] = {Type::kBoolean, Type::kInt,     Type::kBigint,
                           Type::kDouble,  Type::kVarchar, Type::kTimestamptz};
constexpr int kKinds = static_cast<int>(Kind::kVarPop) + 1;

struct Input {
  Datum value;
  Datum order_by;
  EventOrder order;
};

bool IsNumber(Type type) {
  return type == Type::kInt || type == Type::kBigint || type == Type::kDouble;
}

bool NeedsNumber(Kind kind) {
  return kind == Kind::kSum || kind == Kind::kAvg || kind >= Kind::kStddevSamp;
}

// Whether the result is a double that is rounded on the way.
bool IsRounded(Kind kind, Type type) {
  return kind >= Kind::kStddevSamp ||
         (type == Type::kDouble && (kind == Kind::kSum || kind == Kind::kAvg));
}

// Values of few, so that there are ties.
Datum RandomDatum(Type type, std::mt19937_64* random) {
  static const char* const kTexts[] = {"", "a", "ab", "b", "\xc3\xa4", "zz"};
  const uint64_t bits = (*random)();
  if (bits % 7 == 0) return Datum::Null();
  const auto small = static_cast<int64_t>(bits / 7 % 9) - 4;
  switch (type) {
    case Type::kBoolean:
      return Datum::Bool(small > 0);
    case Type::kDouble: {
      constexpr double kSpecial[] = {-0.0, 0.0, -INFINITY, INFINITY, NAN};
      if (bits / 63 % 3 == 0) return Datum::Double(kSpecial[bits / 189 % 5]);
      return Datum::Double(static_cast<double>(small) / 4);
    }
    case Type::kVarchar:
      return Datum::Text(kTexts[bits / 7 % 6]);
    case Type::kBigint:
      if (bits / 63 % 5 == 0) {
        return Datum::Int(std::numeric_limits<int64_t>::max() - (small + 4));
      }
      return Datum::Int(small);
    default:
      return Datum::Int(small);
  }
}

// Finite, with a mean far from zero.
Datum RandomNumber(Type type, std::mt19937_64* random) {
  if ((*random)() % 7 == 0) return Datum::Null();
  std::normal_distribution<double> spread(1000, 3);
  return type == Type::kDouble
             ? Datum::Double(spread(*random))
             : Datum::Int(static_cast<int64_t>(spread(*random) * 10));
}

// What plain loops compute.
class Model {
 public:
  Model(Kind kind, Type type, Type order_type, const std::vector<Input>* inputs)
      : kind_(kind), type_(type), order_type_(order_type), inputs_(inputs) {}

  std::string Text() const {
    switch (kind_) {
      case Kind::kCountStar:
        return absl::StrCat(inputs_->size());
      case Kind::kCount:
        return absl::StrCat(Values());
      case Kind::kSum:
      case Kind::kAvg:
        return IntegerText();
      case Kind::kMin:
      case Kind::kMax:
        return ExtremeText();
      default:
        return WinnerText();
    }
  }

  // Of what is rounded; NaN for NULL. `scale` bounds the terms summed.
  long double Number(long double* scale) const {
    const long double n = Values();
    long double sum = 0;
    *scale = 0;
    for (const Input& input : *inputs_) {
      if (input.value.is_null) continue;
      sum += Real(input.value);
      *scale += std::fabs(Real(input.value));
    }
    if (n == 0) return NAN;
    if (kind_ == Kind::kSum) return sum;
    *scale /= n;
    if (kind_ == Kind::kAvg) return sum / n;
    long double squares = 0;
    for (const Input& input : *inputs_) {
      if (input.value.is_null) continue;
      const long double distance = Real(input.value) - sum / n;
      squares += distance * distance;
    }
    const bool sample = kind_ == Kind::kVarSamp || kind_ == Kind::kStddevSamp;
    if (sample && n == 1) return NAN;
    const long double variance = squares / (sample ? n - 1 : n);
    const bool root = kind_ == Kind::kStddevSamp || kind_ == Kind::kStddevPop;
    *scale = 0;
    return root ? std::sqrt(variance) : variance;
  }

 private:
  int64_t Values() const {
    return std::count_if(inputs_->begin(), inputs_->end(),
                         [](const Input& i) { return !i.value.is_null; });
  }
  long double Real(const Datum& value) const {
    return type_ == Type::kDouble ? static_cast<long double>(value.d)
                                  : static_cast<long double>(value.i);
  }
  std::string IntegerText() const {
    if (Values() == 0) return "NULL";
    absl::int128 sum = 0;
    for (const Input& input : *inputs_) {
      if (!input.value.is_null) sum += input.value.i;
    }
    if (kind_ == Kind::kAvg) {
      return DatumText(Type::kDouble,
                       Datum::Double(static_cast<double>(sum) /
                                     static_cast<double>(Values())));
    }
    if (sum > std::numeric_limits<int64_t>::max()) return "out of range";
    return absl::StrCat(static_cast<int64_t>(sum));
  }
  // As the text of the datum says it, so -0 and 0 differ.
  std::string ExtremeText() const {
    const Datum* best = nullptr;
    for (const Input& input : *inputs_) {
      if (input.value.is_null) continue;
      if (best == nullptr || Better(input.value, *best)) best = &input.value;
    }
    return best == nullptr ? "NULL" : DatumText(type_, *best);
  }
  bool Better(const Datum& a, const Datum& b) const {
    int order = CompareDatum(type_, a, b);
    if (order == 0 && type_ == Type::kDouble && !std::isnan(a.d)) {
      order = std::signbit(b.d) - std::signbit(a.d);
    }
    return kind_ == Kind::kMin ? order < 0 : order > 0;
  }
  std::string WinnerText() const {
    const Input* best = nullptr;
    for (const Input& input : *inputs_) {
      if (input.order_by.is_null) continue;
      if (best == nullptr || Wins(input, *best)) best = &input;
    }
    return best == nullptr ? "NULL" : DatumText(type_, best->value);
  }
  bool Wins(const Input& a, const Input& b) const {
    int order = CompareDatum(order_type_, a.order_by, b.order_by);
    if (kind_ == Kind::kMaxBy) order = -order;
    // Of equals the earliest counts, but for last_value the latest.
    if (order == 0) order = a.order < b.order ? -1 : 1;
    return kind_ == Kind::kLastValue ? order > 0 : order < 0;
  }

  const Kind kind_;
  const Type type_;
  const Type order_type_;
  const std::vector<Input>* const inputs_;
};

class AggregatePropertyTest : public ::testing::Test {
 protected:
  AggregatePropertyTest() {
    const uint64_t seed = std::random_device{}();
    std::cout << "seed " << seed << "\n";
    random_.seed(seed);
  }

  // first_value and last_value go by (order_by, partition, offset), so the
  // time of `order` must not decide there.
  std::vector<Input> RandomInputs(Kind kind, Type type, Type order_type) {
    const bool any_time = kind == Kind::kMinBy || kind == Kind::kMaxBy;
    std::vector<Input> inputs(random_() % 40);
    for (size_t i = 0; i < inputs.size(); ++i) {
      inputs[i].value = IsRounded(kind, type) ? RandomNumber(type, &random_)
                                              : RandomDatum(type, &random_);
      inputs[i].order_by = RandomDatum(order_type, &random_);
      inputs[i].order =
          At(any_time ? static_cast<int64_t>(random_() % 3) : 0,
             static_cast<int32_t>(random_() % 3), static_cast<int64_t>(i));
    }
    return inputs;
  }

  // Through bytes, which is how states come back from the store.
  static AggregateState Recoded(const Aggregate& aggregate,
                                const AggregateState& state) {
    std::string bytes;
    aggregate.Encode(state, &bytes);
    absl::string_view in = bytes;
    AggregateState decoded;
    EXPECT_TRUE(aggregate.Decode(&in, &decoded));
    EXPECT_TRUE(in.empty());
    return decoded;
  }

  static AggregateState Fold(const Aggregate& aggregate,
                             absl::Span<const Input> inputs) {
    AggregateState state;
    for (const Input& input : inputs) {
      aggregate.Update({.value = input.value, .order_by = input.order_by},
                       input.order, &state);
    }
    return state;
  }

  // Cuts shuffled inputs into parts, folds each, and merges them two by two.
  AggregateState FoldInParts(const Aggregate& aggregate,
                             std::vector<Input> inputs) {
    std::shuffle(inputs.begin(), inputs.end(), random_);
    std::vector<AggregateState> parts;
    size_t at = 0;
    while (at < inputs.size() || parts.empty()) {
      const size_t size = std::min(inputs.size() - at, random_() % 8);
      parts.push_back(
          Fold(aggregate, absl::MakeSpan(inputs).subspan(at, size)));
      at += size;
    }
    while (parts.size() > 1) {
      std::swap(parts[random_() % parts.size()], parts.back());
      const AggregateState last = Recoded(aggregate, parts.back());
      parts.pop_back();
      AggregateState& into = parts[random_() % parts.size()];
      if (random_() % 2 == 0) into = Recoded(aggregate, into);
      aggregate.Merge(last, &into);
    }
    return std::move(parts[0]);
  }

  static std::string Text(const Aggregate& aggregate, Type result,
                          const AggregateState& state) {
    Datum datum;
    const absl::Status status = aggregate.Result(state, &datum);
    return status.ok() ? DatumText(result, datum) : "out of range";
  }

  void CheckExact(Kind kind, Type type, Type order_type) {
    const AggregateCall call = {.kind = kind,
                                .argument = Column(0, type),
                                .order_by = Column(1, order_type)};
    const Type result = kind == Kind::kAvg   ? Type::kDouble
                        : kind <= Kind::kSum ? Type::kBigint
                                             : type;
    const Aggregate aggregate(&call);
    const std::vector<Input> inputs = RandomInputs(kind, type, order_type);
    const AggregateState whole = Fold(aggregate, inputs);
    const AggregateState parts = FoldInParts(aggregate, inputs);
    ASSERT_EQ(Text(aggregate, result, whole),
              Model(kind, type, order_type, &inputs).Text());
    std::string whole_bytes, parts_bytes;
    aggregate.Encode(whole, &whole_bytes);
    aggregate.Encode(parts, &parts_bytes);
    ASSERT_EQ(parts_bytes, whole_bytes);
    ASSERT_EQ(Text(aggregate, result, parts), Text(aggregate, result, whole));
  }

  void CheckRounded(Kind kind, Type type) {
    constexpr double kRelative = 1e-11;
    const AggregateCall call = {
        .kind = kind, .argument = Column(0, type), .result = Type::kDouble};
    const Aggregate aggregate(&call);
    const std::vector<Input> inputs =
        RandomInputs(kind, type, Type::kTimestamptz);
    long double scale = 0;
    const long double expected =
        Model(kind, type, Type::kTimestamptz, &inputs).Number(&scale);
    const auto error = static_cast<double>(
        kRelative * std::max(scale, std::fabs(expected)) + 1e-18L);
    for (const bool in_parts : {false, true}) {
      const AggregateState state =
          in_parts ? FoldInParts(aggregate, inputs) : Fold(aggregate, inputs);
      Datum result;
      ASSERT_TRUE(aggregate.Result(state, &result).ok());
      ASSERT_EQ(result.is_null, std::isnan(expected));
      if (result.is_null) continue;
      ASSERT_NEAR(result.d, static_cast<double>(expected), error);
    }
  }

  std::mt19937_64 random_;
};

TEST_F(AggregatePropertyTest, AnyOrderAndAnyPartsGiveTheSame) {
  for (int k = 0; k < kKinds; ++k) {
    const auto kind = static_cast<Kind>(k);
    for (const Type type : kTypes) {
      if (NeedsNumber(kind) && !IsNumber(type)) continue;
      const bool by = kind == Kind::kMinBy || kind == Kind::kMaxBy;
      for (const Type order_type : kTypes) {
        if (order_type == Type::kVarchar) continue;
        if (!by && order_type != Type::kTimestamptz) continue;
        SCOPED_TRACE(absl::StrCat("kind ", k, " of ", TypeName(type), " by ",
                                  TypeName(order_type)));
        for (int round = 0; round < 100; ++round) {
          if (IsRounded(kind, type)) {
            CheckRounded(kind, type);
          } else {
            CheckExact(kind, type, order_type);
          }
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tidegate
