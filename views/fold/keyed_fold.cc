#include "views/fold/keyed_fold.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

void PutOrder(std::string* out, const EventOrder& order) {
  PutVarint64(out, ZigZag(order.time.value()));
  PutVarint64(out, ZigZag(order.partition.value()));
  PutVarint64(out, ZigZag(order.offset.value()));
}

bool GetOrder(absl::string_view in, EventOrder* order) {
  uint64_t time, partition, offset;
  if (!GetVarint64(&in, &time) || !GetVarint64(&in, &partition) ||
      !GetVarint64(&in, &offset) || !in.empty()) {
    return false;
  }
  order->time = EventTime(UnZigZag(time));
  order->partition = PartitionId(static_cast<int32_t>(UnZigZag(partition)));
  order->offset = Offset(UnZigZag(offset));
  return true;
}

}  // namespace

KeyedFold::KeyedFold(const ViewPlan* plan, const SourcePlan* source,
                     const SourcePlan* joined, const RowSchema* schema,
                     FoldSources sources, size_t max_cached_keys)
    : plan_(plan),
      schema_(schema),
      input_(plan, source, joined, std::move(sources.table)),
      cache_(std::move(sources.stored), max_cached_keys),
      outputs_(plan->outputs.size()),
      key_(plan->key_columns.size()) {
  for (const int column : plan->key_columns) {
    key_types_.push_back(plan->columns[static_cast<size_t>(column)].type);
  }
}

absl::Status KeyedFold::Load(Entry* entry) const {
  if (!entry->has_row) return absl::OkStatus();
  if (!GetOrder(entry->state_bytes, &entry->state.order)) {
    return absl::DataLossError(
        absl::StrCat("view=", plan_->name, ": malformed state"));
  }
  entry->state.has_row = true;
  return absl::OkStatus();
}

absl::Status KeyedFold::Apply(const Event& event, LateEvent* /*late*/) {
  arena_.Reset();
  Row row;
  bool passes;
  RETURN_IF_ERROR(input_.Read(event, &arena_, &row, &passes));
  if (!passes) return absl::OkStatus();
  RETURN_IF_ERROR(EvaluateAll(plan_->outputs, row, &arena_, &outputs_));
  for (size_t i = 0; i < key_.size(); ++i) {
    key_[i] = outputs_[static_cast<size_t>(plan_->key_columns[i])];
  }
  key_bytes_.clear();
  EncodeKey(key_types_, key_, &key_bytes_);
  ASSIGN_OR_RETURN(
      Entry* const entry,
      cache_.Find(key_bytes_, [this](Entry* loaded) { return Load(loaded); }));
  if (entry->state.has_row && event.order <= entry->state.order) {
    return absl::OkStatus();
  }
  entry->state.has_row = true;
  entry->state.order = event.order;
  entry->state.row.clear();
  EncodeRow(*schema_, outputs_, &entry->state.row);
  cache_.MarkDirty(entry);
  return absl::OkStatus();
}

absl::Status KeyedFold::Drain(
    absl::FunctionRef<void(const FoldedChange&)> sink) {
  // An entry is dirty only if its order, and so its state, has moved on.
  for (Entry* const entry : cache_.SortDirty()) {
    state_bytes_.clear();
    PutOrder(&state_bytes_, entry->state.order);
    sink({.key = entry->key,
          .has_before = entry->has_row,
          .before = entry->row,
          .has_after = true,
          .after = entry->state.row,
          .state = state_bytes_});
    entry->has_row = true;
    entry->row = std::move(entry->state.row);
    entry->state.row = std::string();
    entry->state_bytes.assign(state_bytes_);
  }
  cache_.FinishDrain();
  return absl::OkStatus();
}

absl::StatusOr<bool> KeyedFold::CurrentRow(absl::string_view key,
                                           absl::string_view* row) {
  ASSIGN_OR_RETURN(Entry* const entry, cache_.Find(key, [this](Entry* loaded) {
    return Load(loaded);
  }));
  *row = entry->dirty ? entry->state.row : entry->row;
  return entry->state.has_row;
}

}  // namespace tidegate
