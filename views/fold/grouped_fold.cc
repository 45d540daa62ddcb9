#include "views/fold/grouped_fold.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {

GroupedFold::GroupedFold(const ViewPlan* plan, const SourcePlan* source,
                         const SourcePlan* joined, const RowSchema* schema,
                         FoldSources sources, size_t max_cached_keys)
    : GroupFold(plan, source, joined, schema, std::move(sources),
                max_cached_keys) {}

absl::Status GroupedFold::Load(Entry* entry) {
  groups_.Clear(&entry->state.aggregates);
  if (!entry->has_row && entry->state_bytes.empty()) return absl::OkStatus();
  absl::string_view in = entry->state_bytes;
  RETURN_IF_ERROR(groups_.Decode(&in, &entry->state.aggregates));
  return in.empty() ? absl::OkStatus() : groups_.Malformed();
}

absl::Status GroupedFold::Apply(const Event& event, LateEvent* /*late*/) {
  bool passes;
  RETURN_IF_ERROR(groups_.Read(event, &passes));
  if (!passes) return absl::OkStatus();
  RETURN_IF_ERROR(groups_.Evaluate());
  Waiting& waiting = waiting_[waiting_count_];
  const absl::string_view key = groups_.Key();
  waiting.key.assign(key.data(), key.size());
  waiting.hash = cache_.HashOf(key);
  waiting.order = event.order;
  groups_.KeepInputs(&waiting_text_, &waiting.inputs);
  cache_.PrefetchIndex(waiting.hash);
  return ++waiting_count_ < kMaxWaiting ? absl::OkStatus() : Settle();
}

absl::Status GroupedFold::Settle() {
  const auto events = absl::MakeSpan(waiting_.data(), waiting_count_);
  waiting_count_ = 0;
  for (const Waiting& event : events) cache_.PrefetchEntry(event.hash);
  for (Waiting& event : events) {
    event.entry = cache_.Peek(event.key, event.hash);
    if (event.entry == nullptr) continue;
    // So that it stays where it is.
    cache_.MarkDirty(event.entry);
    cache_.PrefetchState(*event.entry);
  }
  for (Waiting& event : events) {
    if (event.entry == nullptr) {
      ASSIGN_OR_RETURN(event.entry, Find(event.key, event.hash));
      cache_.MarkDirty(event.entry);
    }
    groups_.Update(event.inputs, event.order, &event.entry->state.aggregates);
  }
  waiting_text_.Reset();
  return absl::OkStatus();
}

void GroupedFold::Encode(const GroupState& state, std::string* out) const {
  groups_.Encode(state.aggregates, out);
}

absl::Status GroupedFold::BuildRow(const Entry& entry, bool count_errors) {
  return groups_.BuildRow(entry.key, entry.state.aggregates, kNeverEventTime,
                          count_errors);
}

}  // namespace tidegate
