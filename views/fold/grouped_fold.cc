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
  ASSIGN_OR_RETURN(Entry* const entry, Find(groups_.Key()));
  // Nothing below can fail.
  groups_.Update(event.order, &entry->state.aggregates);
  cache_.MarkDirty(entry);
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
