#include "views/fold/lag_state.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "views/fold/input_rows.h"

namespace tidegate {
namespace {

constexpr char kNullMarker = '\0';
constexpr char kValueMarker = '\x01';

size_t MaxKeys(const ViewPlan& plan, size_t max_cached_keys) {
  size_t values = 0;
  for (const LagCall& call : plan.lags) {
    values += static_cast<size_t>(call.distance);
  }
  if (values <= kLagValuesPerCachedKey) return max_cached_keys;
  return std::max<size_t>(1, max_cached_keys * kLagValuesPerCachedKey / values);
}

// Values come back bit for bit: -0 and NaN too.
void PutValue(Type type, const Datum& value, std::string* out) {
  out->push_back(value.is_null ? kNullMarker : kValueMarker);
  if (value.is_null) return;
  switch (type) {
    case Type::kBoolean:
      PutVarint64(out, value.b ? 1 : 0);
      break;
    case Type::kInt:
    case Type::kBigint:
    case Type::kTimestamptz:
      PutVarint64(out, ZigZag(value.i));
      break;
    case Type::kDouble:
      PutFixed64LittleEndian(out, std::bit_cast<uint64_t>(value.d));
      break;
    case Type::kVarchar:
      PutLengthPrefixed(out, value.text());
      break;
  }
}

// Text borrows from `in`.
bool GetValue(Type type, absl::string_view* in, Datum* value) {
  if (in->empty()) return false;
  const char marker = in->front();
  in->remove_prefix(1);
  *value = Datum::Null();
  if (marker == kNullMarker) return true;
  if (marker != kValueMarker) return false;
  uint64_t bits;
  absl::string_view text;
  switch (type) {
    case Type::kBoolean:
      if (!GetVarint64(in, &bits) || bits > 1) return false;
      *value = Datum::Bool(bits != 0);
      return true;
    case Type::kInt:
    case Type::kBigint:
    case Type::kTimestamptz:
      if (!GetVarint64(in, &bits)) return false;
      *value = Datum::Int(UnZigZag(bits));
      return true;
    case Type::kDouble:
      if (!GetFixed64LittleEndian(in, &bits)) return false;
      *value = Datum::Double(std::bit_cast<double>(bits));
      return true;
    case Type::kVarchar:
      if (!GetLengthPrefixed(in, &text) || text.size() > kMaxTextBytes) {
        return false;
      }
      *value = Datum::Text(text);
      return true;
  }
  return false;
}

}  // namespace

size_t LagState::State::bytes() const {
  size_t total = pasts.capacity() * sizeof(Past);
  for (const Past& past : pasts) {
    total += past.values.capacity() * sizeof(Value);
    for (const Value& value : past.values) {
      if (value.text != nullptr) {
        total += sizeof(std::string) + value.text->capacity();
      }
    }
  }
  return total;
}

LagState::LagState(const ViewPlan* plan, StoredLookup stored,
                   size_t max_cached_keys)
    : plan_(plan),
      cache_(std::move(stored), MaxKeys(*plan, max_cached_keys)),
      arguments_(plan->lags.size()),
      key_(plan->partition_by.size()) {
  for (const Expr& part : plan->partition_by) key_types_.push_back(part.type);
}

LagState::Value LagState::Keep(Type type, const Datum& datum) {
  Value value;
  value.datum = datum;
  if (type == Type::kVarchar && !datum.is_null) {
    value.text = std::make_unique<const std::string>(datum.text());
    value.datum = Datum::Text(*value.text);
  }
  return value;
}

void LagState::Add(size_t lag, Value value, State* state) const {
  Past& past = state->pasts[lag];
  const auto distance = static_cast<size_t>(plan_->lags[lag].distance);
  if (past.values.size() < distance) {
    past.values.push_back(std::move(value));
    return;
  }
  past.values[past.oldest] = std::move(value);
  past.oldest = (past.oldest + 1) % distance;
}

absl::Status LagState::Load(Entry* entry) const {
  entry->state.pasts.resize(plan_->lags.size());
  absl::string_view in = entry->state_bytes;
  if (in.empty()) return absl::OkStatus();
  bool well_formed = true;
  for (size_t i = 0; well_formed && i < plan_->lags.size(); ++i) {
    const LagCall& call = plan_->lags[i];
    uint64_t count = 0;
    well_formed = GetVarint64(&in, &count) &&
                  count <= static_cast<uint64_t>(call.distance);
    for (uint64_t n = 0; well_formed && n < count; ++n) {
      Datum value;
      well_formed = GetValue(call.argument.type, &in, &value);
      if (well_formed) Add(i, Keep(call.argument.type, value), &entry->state);
    }
  }
  if (well_formed && in.empty()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("view=", plan_->name, ": malformed state of lag"));
}

absl::Status LagState::Read(Row row, TextArena* arena, MutableRow results) {
  RETURN_IF_ERROR(EvaluateAll(plan_->partition_by, row, arena, &key_));
  for (size_t i = 0; i < arguments_.size(); ++i) {
    RETURN_IF_ERROR(
        Evaluate(plan_->lags[i].argument, row, arena, &arguments_[i]));
  }
  key_bytes_.clear();
  EncodeKey(key_types_, key_, &key_bytes_);
  ASSIGN_OR_RETURN(entry_, cache_.Find(key_bytes_, [this](Entry* loaded) {
    return Load(loaded);
  }));
  for (size_t i = 0; i < results.size(); ++i) {
    const LagCall& call = plan_->lags[i];
    const Past& past = entry_->state.pasts[i];
    if (past.values.size() == static_cast<size_t>(call.distance)) {
      results[i] = past.values[past.oldest].datum;
    } else if (call.default_constant) {
      RETURN_IF_ERROR(
          Evaluate(*call.default_constant, Row(), arena, &results[i]));
    } else {
      results[i] = Datum::Null();
    }
  }
  return absl::OkStatus();
}

void LagState::Push() {
  for (size_t i = 0; i < arguments_.size(); ++i) {
    Add(i, Keep(plan_->lags[i].argument.type, arguments_[i]), &entry_->state);
  }
  cache_.MarkDirty(entry_);
}

absl::Status LagState::Drain(
    absl::FunctionRef<void(const FoldedChange&)> sink) {
  return cache_.Drain([&](Entry* entry) {
    state_bytes_.clear();
    for (size_t i = 0; i < plan_->lags.size(); ++i) {
      const Past& past = entry->state.pasts[i];
      const size_t count = past.values.size();
      PutVarint64(&state_bytes_, count);
      for (size_t n = 0; n < count; ++n) {
        PutValue(plan_->lags[i].argument.type,
                 past.values[(past.oldest + n) % count].datum, &state_bytes_);
      }
    }
    // A partition whose values repeat.
    if (entry->state_bytes == state_bytes_) return absl::OkStatus();
    sink({.key = entry->key, .state = state_bytes_});
    entry->state_bytes.assign(state_bytes_);
    return absl::OkStatus();
  });
}

}  // namespace tidegate
