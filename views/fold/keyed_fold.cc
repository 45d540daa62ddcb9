#include "views/fold/keyed_fold.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "views/fold/order_codec.h"

namespace tidegate {
namespace {

// A state is an order and nothing else.
bool ReadOrder(absl::string_view state, EventOrder* order) {
  return GetOrder(&state, order) && state.empty();
}

}  // namespace

KeyedFold::KeyedFold(const ViewPlan* plan, const SourcePlan* source,
                     const SourcePlan* joined, const RowSchema* schema,
                     FoldSources sources, size_t max_cached_keys)
    : plan_(plan),
      schema_(schema),
      scan_(std::move(sources.scan)),
      input_(plan, source, joined, std::move(sources.table)),
      cache_(std::move(sources.stored), max_cached_keys),
      outputs_(plan->outputs.size()),
      key_(plan->key_columns.size()) {
  for (const int column : plan->key_columns) {
    key_types_.push_back(plan->columns[static_cast<size_t>(column)].type);
  }
  if (!plan->lags.empty()) {
    lags_.emplace(plan, std::move(sources.stored_state), max_cached_keys);
  }
}

absl::Status KeyedFold::MalformedState() const {
  return absl::DataLossError(
      absl::StrCat("view=", plan_->name, ": malformed state"));
}

absl::StatusOr<KeyedFold::Entry*> KeyedFold::Find(absl::string_view key) {
  return cache_.Find(key, [this](Entry* loaded) {
    loaded->state.has_row = loaded->has_row;
    if (!loaded->has_row ||
        ReadOrder(loaded->state_bytes, &loaded->state.order)) {
      return absl::OkStatus();
    }
    return MalformedState();
  });
}

absl::Status KeyedFold::Open(EventTime watermark) {
  watermark_ = watermark;
  const StoredScan scan = std::exchange(scan_, nullptr);
  if (!plan_->retention_us) return absl::OkStatus();
  return scan([this](absl::string_view key, const Stored& stored) {
    EventOrder order;
    if (!stored.has_row || !ReadOrder(stored.state, &order)) {
      return MalformedState();
    }
    expiries_.Add(ExpiryOf(order), key);
    return absl::OkStatus();
  });
}

absl::Status KeyedFold::Apply(const Event& event, LateEvent* late) {
  if (event.no_event_time && (plan_->retention_us || plan_->ordered)) {
    return absl::InvalidArgumentError("no event time");
  }
  arena_.Reset();
  Row row;
  bool passes;
  RETURN_IF_ERROR(input_.Read(event, &arena_, &row, &passes));
  if (!passes) return absl::OkStatus();
  if (plan_->retention_us && ExpiryOf(event.order) <= watermark_) {
    late->late = true;
    return absl::OkStatus();
  }
  if (lags_) {
    RETURN_IF_ERROR(lags_->Read(
        row, &arena_, input_.mutable_row().subspan(input_.lag_column())));
  }
  RETURN_IF_ERROR(EvaluateAll(plan_->outputs, row, &arena_, &outputs_));
  for (size_t i = 0; i < key_.size(); ++i) {
    key_[i] = outputs_[static_cast<size_t>(plan_->key_columns[i])];
  }
  key_bytes_.clear();
  EncodeKey(key_types_, key_, &key_bytes_);
  ASSIGN_OR_RETURN(Entry* const entry, Find(key_bytes_));
  // Nothing below can fail.
  State& state = entry->state;
  if (!state.has_row || event.order > state.order) {
    if (plan_->retention_us && !state.has_row) {
      expiries_.Add(ExpiryOf(event.order), key_bytes_);
    }
    state.has_row = true;
    state.order = event.order;
    state.row.clear();
    EncodeRow(*schema_, outputs_, &state.row);
    cache_.MarkDirty(entry);
  }
  // After the outputs, which may borrow what this forgets, are encoded.
  if (lags_) lags_->Push();
  return absl::OkStatus();
}

absl::StatusOr<bool> KeyedFold::Admits(const Event& event) {
  arena_.Reset();
  return input_.Admits(event, &arena_);
}

absl::Status KeyedFold::Advance(EventTime watermark) {
  watermark_ = watermark;
  return expiries_.TakeThrough(
      watermark,
      [this](EventTime /*at*/, absl::string_view key) -> absl::Status {
        ASSIGN_OR_RETURN(Entry* const entry, Find(key));
        if (!entry->state.has_row) return absl::OkStatus();
        const EventTime expiry = ExpiryOf(entry->state.order);
        if (expiry > watermark_) {
          expiries_.Add(expiry, key);
          return absl::OkStatus();
        }
        entry->state = State();
        cache_.MarkDirty(entry);
        return absl::OkStatus();
      });
}

absl::Status KeyedFold::Drain(
    absl::FunctionRef<void(const FoldedChange&)> sink) {
  return cache_.Drain([&](Entry* entry) {
    State& state = entry->state;
    // It came and left between two commits. Otherwise a dirty entry's order,
    // and so its state, has moved on.
    if (!entry->has_row && !state.has_row) return absl::OkStatus();
    state_bytes_.clear();
    if (state.has_row) PutOrder(&state_bytes_, state.order);
    sink({.key = entry->key,
          .has_before = entry->has_row,
          .before = entry->row,
          .has_after = state.has_row,
          .after = state.row,
          .state = state_bytes_});
    entry->has_row = state.has_row;
    entry->row = std::move(state.row);
    state.row = std::string();
    entry->state_bytes.assign(state_bytes_);
    return absl::OkStatus();
  });
}

absl::Status KeyedFold::DrainState(
    absl::FunctionRef<void(const FoldedChange&)> sink) {
  return lags_ ? lags_->Drain(sink) : absl::OkStatus();
}

absl::StatusOr<bool> KeyedFold::CurrentRow(absl::string_view key,
                                           absl::string_view* row) {
  ASSIGN_OR_RETURN(Entry* const entry, Find(key));
  *row = entry->dirty ? entry->state.row : entry->row;
  return entry->state.has_row;
}

size_t KeyedFold::dirty_keys() const {
  return cache_.dirty_keys() + (lags_ ? lags_->dirty_keys() : 0);
}

size_t KeyedFold::cached_bytes() const {
  return cache_.bytes() + expiries_.bytes() + (lags_ ? lags_->bytes() : 0);
}

}  // namespace tidegate
