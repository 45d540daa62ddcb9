#include "views/fold/aggregate.h"

#include <bit>
#include <cmath>
#include <limits>
#include <sstream>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"

namespace tidegate {
namespace {

absl::int128 IntegerSum(const AggregateState& state) {
  return absl::MakeInt128(static_cast<int64_t>(state.high), state.low);
}

double DoubleSum(const AggregateState& state) {
  const double sum = std::bit_cast<double>(state.low);
  // Compensating an infinite sum would make it NaN.
  return std::isfinite(sum) ? sum + std::bit_cast<double>(state.high) : sum;
}

// Neumaier's summation: the compensation collects what each addition lost.
void AddDouble(double value, AggregateState* state) {
  const double sum = std::bit_cast<double>(state->low);
  const double next = sum + value;
  if (std::isfinite(next)) {
    double compensation = std::bit_cast<double>(state->high);
    compensation += std::fabs(sum) >= std::fabs(value) ? (sum - next) + value
                                                       : (value - next) + sum;
    state->high = std::bit_cast<uint64_t>(compensation);
  } else {
    state->high = 0;
  }
  state->low = std::bit_cast<uint64_t>(
      std::isnan(next) ? std::numeric_limits<double>::quiet_NaN() : next);
}

// Of doubles that compare equal but differ in bits, -0 counts as less than 0.
int CompareExactly(Type type, const Datum& a, const Datum& b) {
  const int order = CompareDatum(type, a, b);
  if (order != 0 || type != Type::kDouble || std::isnan(a.d)) return order;
  return static_cast<int>(std::signbit(b.d)) -
         static_cast<int>(std::signbit(a.d));
}

bool KeepsValue(AggregateKind kind) {
  return kind != AggregateKind::kCountStar && kind != AggregateKind::kCount &&
         kind != AggregateKind::kSum && kind != AggregateKind::kAvg;
}

bool KeepsWinner(AggregateKind kind) {
  return kind == AggregateKind::kFirstValue ||
         kind == AggregateKind::kLastValue;
}

}  // namespace

Aggregate::Aggregate(const AggregateCall* call)
    : kind_(call->kind),
      type_(call->argument ? call->argument->type : Type::kBigint) {}

void Aggregate::Update(const AggregateInput& input, const EventOrder& order,
                       AggregateState* state) const {
  switch (kind_) {
    case AggregateKind::kCountStar:
      ++state->count;
      return;
    case AggregateKind::kCount:
      if (!input.value.is_null) ++state->count;
      return;
    case AggregateKind::kSum:
    case AggregateKind::kAvg:
      if (!input.value.is_null) UpdateSum(input.value, state);
      return;
    case AggregateKind::kMin:
    case AggregateKind::kMax:
      if (!input.value.is_null) UpdateExtreme(input.value, state);
      return;
    case AggregateKind::kFirstValue:
    case AggregateKind::kLastValue:
      if (!input.order_by.is_null) UpdateWinner(input, order, state);
      return;
  }
}

void Aggregate::UpdateSum(const Datum& value, AggregateState* state) const {
  ++state->count;
  if (type_ == Type::kDouble) {
    AddDouble(value.d, state);
    return;
  }
  const absl::int128 sum = IntegerSum(*state) + value.i;
  state->low = absl::Int128Low64(sum);
  state->high = static_cast<uint64_t>(absl::Int128High64(sum));
}

void Aggregate::UpdateExtreme(const Datum& value, AggregateState* state) const {
  if (state->count != 0) {
    const int order = CompareExactly(type_, value, Kept(*state));
    if (kind_ == AggregateKind::kMin ? order >= 0 : order <= 0) return;
  }
  state->count = 1;
  Keep(value, state);
}

void Aggregate::UpdateWinner(const AggregateInput& input,
                             const EventOrder& order,
                             AggregateState* state) const {
  const EventOrder place{EventTime(input.order_by.i), order.partition,
                         order.offset};
  if (state->count != 0) {
    const bool wins = kind_ == AggregateKind::kFirstValue
                          ? place < state->winner
                          : place > state->winner;
    if (!wins) return;
  }
  state->count = 1;
  state->winner = place;
  Keep(input.value, state);
}

void Aggregate::Keep(const Datum& value, AggregateState* state) const {
  state->value_is_null = value.is_null;
  state->low = 0;
  if (type_ == Type::kVarchar) {
    if (state->text == nullptr) state->text = std::make_unique<std::string>();
    const absl::string_view text =
        value.is_null ? absl::string_view() : value.text();
    state->text->assign(text.begin(), text.end());
  } else if (!value.is_null) {
    switch (type_) {
      case Type::kBoolean:
        state->low = value.b ? 1 : 0;
        break;
      case Type::kDouble:
        state->low = std::bit_cast<uint64_t>(
            std::isnan(value.d) ? std::numeric_limits<double>::quiet_NaN()
                                : value.d);
        break;
      default:
        state->low = static_cast<uint64_t>(value.i);
    }
  }
}

Datum Aggregate::Kept(const AggregateState& state) const {
  if (state.count == 0 || state.value_is_null) return Datum::Null();
  switch (type_) {
    case Type::kBoolean:
      return Datum::Bool(state.low != 0);
    case Type::kDouble:
      return Datum::Double(std::bit_cast<double>(state.low));
    case Type::kVarchar:
      return Datum::Text(*state.text);
    default:
      return Datum::Int(static_cast<int64_t>(state.low));
  }
}

absl::Status Aggregate::Result(const AggregateState& state,
                               Datum* result) const {
  *result = Datum::Null();
  if (kind_ == AggregateKind::kCountStar || kind_ == AggregateKind::kCount) {
    *result = Datum::Int(state.count);
    return absl::OkStatus();
  }
  if (KeepsValue(kind_)) {
    *result = Kept(state);
    return absl::OkStatus();
  }
  if (state.count == 0) return absl::OkStatus();
  if (kind_ == AggregateKind::kAvg) {
    const double sum = type_ == Type::kDouble
                           ? DoubleSum(state)
                           : static_cast<double>(IntegerSum(state));
    *result = Datum::Double(sum / static_cast<double>(state.count));
    return absl::OkStatus();
  }
  if (type_ == Type::kDouble) {
    *result = Datum::Double(DoubleSum(state));
    return absl::OkStatus();
  }
  const absl::int128 sum = IntegerSum(state);
  if (sum < std::numeric_limits<int64_t>::min() ||
      sum > std::numeric_limits<int64_t>::max()) {
    std::ostringstream digits;
    digits << sum;
    return absl::OutOfRangeError(
        absl::StrCat("bigint out of range: sum is ", digits.str()));
  }
  *result = Datum::Int(static_cast<int64_t>(sum));
  return absl::OkStatus();
}

void Aggregate::Encode(const AggregateState& state, std::string* out) const {
  PutVarint64(out, static_cast<uint64_t>(state.count));
  if (state.count == 0 || kind_ == AggregateKind::kCountStar ||
      kind_ == AggregateKind::kCount) {
    return;
  }
  if (!KeepsValue(kind_)) {
    if (type_ == Type::kDouble) {
      PutFixed64LittleEndian(out, state.low);
      PutFixed64LittleEndian(out, state.high);
    } else {
      PutVarint64(out, ZigZag(static_cast<int64_t>(state.high)));
      PutVarint64(out, state.low);
    }
    return;
  }
  if (KeepsWinner(kind_)) {
    PutVarint64(out, ZigZag(state.winner.time.value()));
    PutVarint64(out, ZigZag(state.winner.partition.value()));
    PutVarint64(out, ZigZag(state.winner.offset.value()));
    out->push_back(state.value_is_null ? '\x01' : '\0');
    if (state.value_is_null) return;
  }
  if (type_ == Type::kVarchar) {
    PutLengthPrefixed(out, *state.text);
  } else if (type_ == Type::kDouble) {
    PutFixed64LittleEndian(out, state.low);
  } else {
    PutVarint64(out, ZigZag(static_cast<int64_t>(state.low)));
  }
}

namespace {

bool DecodeWinner(absl::string_view* in, AggregateState* state) {
  uint64_t time, partition, offset;
  if (!GetVarint64(in, &time) || !GetVarint64(in, &partition) ||
      !GetVarint64(in, &offset) || in->empty()) {
    return false;
  }
  state->winner.time = EventTime(UnZigZag(time));
  state->winner.partition =
      PartitionId(static_cast<int32_t>(UnZigZag(partition)));
  state->winner.offset = Offset(UnZigZag(offset));
  state->value_is_null = (*in)[0] != 0;
  in->remove_prefix(1);
  return true;
}

bool DecodeSum(Type type, absl::string_view* in, AggregateState* state) {
  if (type == Type::kDouble) {
    return GetFixed64LittleEndian(in, &state->low) &&
           GetFixed64LittleEndian(in, &state->high);
  }
  uint64_t high;
  if (!GetVarint64(in, &high) || !GetVarint64(in, &state->low)) return false;
  state->high = static_cast<uint64_t>(UnZigZag(high));
  return true;
}

}  // namespace

bool Aggregate::Decode(absl::string_view* in, AggregateState* state) const {
  *state = AggregateState();
  uint64_t count;
  if (!GetVarint64(in, &count)) return false;
  state->count = static_cast<int64_t>(count);
  if (count == 0 || kind_ == AggregateKind::kCountStar ||
      kind_ == AggregateKind::kCount) {
    return true;
  }
  if (!KeepsValue(kind_)) return DecodeSum(type_, in, state);
  if (KeepsWinner(kind_)) {
    if (!DecodeWinner(in, state)) return false;
    if (state->value_is_null) {
      if (type_ == Type::kVarchar)
        state->text = std::make_unique<std::string>();
      return true;
    }
  }
  if (type_ == Type::kVarchar) {
    absl::string_view text;
    if (!GetLengthPrefixed(in, &text)) return false;
    state->text = std::make_unique<std::string>(text);
    return true;
  }
  if (type_ == Type::kDouble) return GetFixed64LittleEndian(in, &state->low);
  uint64_t bits;
  if (!GetVarint64(in, &bits)) return false;
  state->low = static_cast<uint64_t>(UnZigZag(bits));
  return true;
}

}  // namespace tidegate
