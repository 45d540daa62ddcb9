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

void MergeSum(Type type, const AggregateState& other, AggregateState* state) {
  state->count += other.count;
  if (type == Type::kDouble) {
    AddDouble(std::bit_cast<double>(other.low), state);
    AddDouble(std::bit_cast<double>(other.high), state);
    return;
  }
  const absl::int128 sum = IntegerSum(*state) + IntegerSum(other);
  state->low = absl::Int128Low64(sum);
  state->high = static_cast<uint64_t>(absl::Int128High64(sum));
}

// Of values that are not all finite, mean and squares are NaN; squares beyond
// the range of doubles are Infinity, and the mean still finite.
void SetVariance(double mean, double squares, AggregateState* state) {
  if (std::isnan(mean) || std::isnan(squares)) {
    mean = squares = std::numeric_limits<double>::quiet_NaN();
  }
  state->low = std::bit_cast<uint64_t>(mean);
  state->high = std::bit_cast<uint64_t>(squares);
}

// Chan, Golub and LeVeque's pairwise update.
void MergeVariance(const AggregateState& other, AggregateState* state) {
  const auto n = static_cast<double>(state->count);
  const auto m = static_cast<double>(other.count);
  const double mean = std::bit_cast<double>(state->low);
  const double other_mean = std::bit_cast<double>(other.low);
  const double delta = other_mean - mean;
  state->count += other.count;
  SetVariance(
      std::isinf(delta) ? mean * (n / (n + m)) + other_mean * (m / (n + m))
                        : mean + delta * (m / (n + m)),
      std::bit_cast<double>(state->high) + std::bit_cast<double>(other.high) +
          delta * delta * (n * m / (n + m)),
      state);
}

// Of doubles that compare equal but differ in bits, -0 counts as less than 0.
int CompareExactly(Type type, const Datum& a, const Datum& b) {
  const int order = CompareDatum(type, a, b);
  if (order != 0 || type != Type::kDouble || std::isnan(a.d)) return order;
  return static_cast<int>(std::signbit(b.d)) -
         static_cast<int>(std::signbit(a.d));
}

// By what becomes of the values.
enum class Family : uint8_t {
  kCount,
  kSum,       // avg too
  kVariance,  // stddev too
  kExtreme,
  kWinner,  // first_value, last_value: by a time
  kBy,      // min_by, max_by: by a value
};

Family FamilyOf(AggregateKind kind) {
  switch (kind) {
    case AggregateKind::kCountStar:
    case AggregateKind::kCount:
      return Family::kCount;
    case AggregateKind::kSum:
    case AggregateKind::kAvg:
      return Family::kSum;
    case AggregateKind::kStddevSamp:
    case AggregateKind::kStddevPop:
    case AggregateKind::kVarSamp:
    case AggregateKind::kVarPop:
      return Family::kVariance;
    case AggregateKind::kMin:
    case AggregateKind::kMax:
      return Family::kExtreme;
    case AggregateKind::kFirstValue:
    case AggregateKind::kLastValue:
      return Family::kWinner;
    case AggregateKind::kMinBy:
    case AggregateKind::kMaxBy:
      return Family::kBy;
  }
  return Family::kCount;
}

bool KeepsWinner(AggregateKind kind) {
  return FamilyOf(kind) == Family::kWinner || FamilyOf(kind) == Family::kBy;
}

// A value as 64 bits and back; text apart.
uint64_t ToBits(Type type, const Datum& value) {
  if (type == Type::kBoolean) return value.b ? 1 : 0;
  if (type != Type::kDouble) return static_cast<uint64_t>(value.i);
  return std::bit_cast<uint64_t>(
      std::isnan(value.d) ? std::numeric_limits<double>::quiet_NaN() : value.d);
}

bool AreBitsOf(Type type, uint64_t bits) {
  if (type == Type::kBoolean) return bits <= 1;
  if (type != Type::kInt) return true;
  const auto value = static_cast<int64_t>(bits);
  return value == static_cast<int32_t>(value);
}

Datum FromBits(Type type, uint64_t bits) {
  if (type == Type::kBoolean) return Datum::Bool(bits != 0);
  if (type == Type::kDouble) return Datum::Double(std::bit_cast<double>(bits));
  return Datum::Int(static_cast<int64_t>(bits));
}

}  // namespace

Aggregate::Aggregate(const AggregateCall* call)
    : kind_(call->kind),
      type_(call->argument ? call->argument->type : Type::kBigint),
      order_type_(call->order_by ? call->order_by->type : Type::kBigint) {}

void Aggregate::Update(const AggregateInput& input, const EventOrder& order,
                       AggregateState* state) const {
  if (kind_ == AggregateKind::kCountStar) {
    ++state->count;
    return;
  }
  switch (FamilyOf(kind_)) {
    case Family::kCount:
      if (!input.value.is_null) ++state->count;
      return;
    case Family::kSum:
      if (!input.value.is_null) UpdateSum(input.value, state);
      return;
    case Family::kVariance:
      if (!input.value.is_null) UpdateVariance(input.value, state);
      return;
    case Family::kExtreme:
      if (!input.value.is_null) UpdateExtreme(input.value, state);
      return;
    case Family::kWinner:
    case Family::kBy:
      if (!input.order_by.is_null) UpdateWinner(input, order, state);
      return;
  }
}

void Aggregate::Merge(const AggregateState& other,
                      AggregateState* state) const {
  if (other.count == 0) return;
  if (state->count == 0 && FamilyOf(kind_) != Family::kCount) {
    state->count = other.count;
    state->low = other.low;
    state->high = other.high;
    state->winner = other.winner;
    state->value_is_null = other.value_is_null;
    if (other.text != nullptr) {
      state->text = std::make_unique<std::string>(*other.text);
    }
    return;
  }
  switch (FamilyOf(kind_)) {
    case Family::kCount:
      state->count += other.count;
      return;
    case Family::kSum:
      MergeSum(type_, other, state);
      return;
    case Family::kVariance:
      MergeVariance(other, state);
      return;
    case Family::kExtreme:
      UpdateExtreme(Kept(other), state);
      return;
    case Family::kWinner:
    case Family::kBy:
      if (!Wins(other, *state)) return;
      state->winner = other.winner;
      state->high = other.high;
      Keep(Kept(other), state);
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

// Welford's update, which does not cancel as a sum of squares does.
void Aggregate::UpdateVariance(const Datum& value,
                               AggregateState* state) const {
  const double x =
      type_ == Type::kDouble ? value.d : static_cast<double>(value.i);
  const auto n = static_cast<double>(++state->count);
  const double before = std::bit_cast<double>(state->low);
  const double delta = x - before;
  const double step =
      std::isinf(delta) && std::isfinite(x) ? x / n - before / n : delta / n;
  const double mean = before + step;
  SetVariance(mean, std::bit_cast<double>(state->high) + delta * (x - mean),
              state);
}

bool Aggregate::Wins(const Datum& order_by, const EventOrder& place,
                     const AggregateState& state) const {
  if (kind_ == AggregateKind::kFirstValue) return place < state.winner;
  if (kind_ == AggregateKind::kLastValue) return place > state.winner;
  const int order =
      CompareDatum(order_type_, order_by, FromBits(order_type_, state.high));
  if (order == 0) return place < state.winner;
  return kind_ == AggregateKind::kMinBy ? order < 0 : order > 0;
}

bool Aggregate::Wins(const AggregateState& other,
                     const AggregateState& state) const {
  return Wins(FromBits(order_type_, other.high), other.winner, state);
}

void Aggregate::UpdateWinner(const AggregateInput& input,
                             const EventOrder& order,
                             AggregateState* state) const {
  EventOrder place = order;
  if (FamilyOf(kind_) == Family::kWinner) {
    place.time = EventTime(input.order_by.i);
  }
  if (state->count != 0 && !Wins(input.order_by, place, *state)) return;
  state->count = 1;
  state->winner = place;
  if (FamilyOf(kind_) == Family::kBy) {
    state->high = ToBits(order_type_, input.order_by);
  }
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
    state->low = ToBits(type_, value);
  }
}

Datum Aggregate::Kept(const AggregateState& state) const {
  if (state.count == 0 || state.value_is_null) return Datum::Null();
  return type_ == Type::kVarchar ? Datum::Text(*state.text)
                                 : FromBits(type_, state.low);
}

Datum Aggregate::Variance(const AggregateState& state) const {
  const bool sample =
      kind_ == AggregateKind::kStddevSamp || kind_ == AggregateKind::kVarSamp;
  const int64_t divisor = state.count - (sample ? 1 : 0);
  if (divisor <= 0) return Datum::Null();
  const double variance =
      std::bit_cast<double>(state.high) / static_cast<double>(divisor);
  const bool root =
      kind_ == AggregateKind::kStddevSamp || kind_ == AggregateKind::kStddevPop;
  return Datum::Double(root ? std::sqrt(variance) : variance);
}

absl::Status Aggregate::Result(const AggregateState& state,
                               Datum* result) const {
  *result = Datum::Null();
  const Family family = FamilyOf(kind_);
  if (family == Family::kCount) {
    *result = Datum::Int(state.count);
    return absl::OkStatus();
  }
  if (family == Family::kVariance) {
    *result = Variance(state);
    return absl::OkStatus();
  }
  if (family != Family::kSum) {
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
  const Family family = FamilyOf(kind_);
  if (state.count == 0 || family == Family::kCount) return;
  if (family == Family::kSum || family == Family::kVariance) {
    if (type_ == Type::kDouble || family == Family::kVariance) {
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
    if (family == Family::kBy) PutFixed64LittleEndian(out, state.high);
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
      !GetVarint64(in, &offset)) {
    return false;
  }
  const auto partition_id = static_cast<int32_t>(UnZigZag(partition));
  if (partition_id != UnZigZag(partition)) return false;
  state->winner.time = EventTime(UnZigZag(time));
  state->winner.partition = PartitionId(partition_id);
  state->winner.offset = Offset(UnZigZag(offset));
  return true;
}

bool DecodeFlag(absl::string_view* in, bool* flag) {
  if (in->empty() || ((*in)[0] != '\0' && (*in)[0] != '\x01')) return false;
  *flag = (*in)[0] != '\0';
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
  if (!GetVarint64(in, &count) ||
      count > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return false;
  }
  state->count = static_cast<int64_t>(count);
  const Family family = FamilyOf(kind_);
  if (count == 0 || family == Family::kCount) return true;
  if (family == Family::kVariance) return DecodeSum(Type::kDouble, in, state);
  if (family == Family::kSum) return DecodeSum(type_, in, state);
  if (count != 1) return false;
  if (KeepsWinner(kind_)) {
    if (!DecodeWinner(in, state)) return false;
    if (family == Family::kBy && (!GetFixed64LittleEndian(in, &state->high) ||
                                  !AreBitsOf(order_type_, state->high))) {
      return false;
    }
    if (!DecodeFlag(in, &state->value_is_null)) return false;
  }
  return DecodeKept(in, state);
}

bool Aggregate::DecodeKept(absl::string_view* in, AggregateState* state) const {
  if (type_ == Type::kVarchar) {
    absl::string_view text;
    if (!state->value_is_null && !GetLengthPrefixed(in, &text)) return false;
    state->text = std::make_unique<std::string>(text);
    return true;
  }
  if (state->value_is_null) return true;
  if (type_ == Type::kDouble) return GetFixed64LittleEndian(in, &state->low);
  uint64_t bits;
  if (!GetVarint64(in, &bits)) return false;
  state->low = static_cast<uint64_t>(UnZigZag(bits));
  return AreBitsOf(type_, state->low);
}

}  // namespace tidegate
