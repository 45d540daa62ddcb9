#include "views/fold/closing_fold.h"

#include <utility>

#include "base/status_macros.h"

namespace tidegate {
namespace {

constexpr char kCorrected = 1;

}  // namespace

bool GetWindowFlags(absl::string_view* in, bool* corrected) {
  if (in->empty() || ((*in)[0] & ~kCorrected) != 0) return false;
  *corrected = (*in)[0] == kCorrected;
  in->remove_prefix(1);
  return true;
}

void PutWindowFlags(bool corrected, std::string* out) {
  out->push_back(corrected ? kCorrected : '\0');
}

ClosingFold::ClosingFold(const ViewPlan* plan, const SourcePlan* source,
                         const SourcePlan* joined, const RowSchema* schema,
                         FoldSources sources, size_t max_cached_keys)
    : GroupFold(plan, source, joined, schema, std::move(sources),
                max_cached_keys) {}

absl::Status ClosingFold::Load(Entry* entry) {
  WindowState& state = entry->state;
  groups_.Clear(&state.aggregates);
  absl::string_view in = entry->state_bytes;
  state.exists = !in.empty();
  if (!state.exists) return absl::OkStatus();
  if (!GetWindowFlags(&in, &state.corrected)) return groups_.Malformed();
  RETURN_IF_ERROR(DecodeEnd(entry->key, &in, &state.end));
  RETURN_IF_ERROR(groups_.Decode(&in, &state.aggregates));
  return in.empty() ? absl::OkStatus() : groups_.Malformed();
}

void ClosingFold::Encode(const WindowState& state, std::string* out) const {
  PutWindowFlags(state.corrected, out);
  EncodeEnd(state.end, out);
  groups_.Encode(state.aggregates, out);
}

absl::Status ClosingFold::BuildRow(const Entry& entry, bool count_errors) {
  return groups_.BuildRow(entry.key, entry.state.aggregates, entry.state.end,
                          count_errors);
}

EventTime ClosingFold::ExpiryOf(EventTime end) const {
  return plan_->retention_us ? Later(end, *plan_->retention_us)
                             : kNeverEventTime;
}

void ClosingFold::Schedule(EventTime end, absl::string_view key) {
  const EventTime at =
      plan_->emit_on_close && !Closed(end) ? end : ExpiryOf(end);
  if (at != kNeverEventTime) timers_.Add(at, key);
}

absl::StatusOr<ClosingFold::Entry*> ClosingFold::Fold(EventTime end,
                                                      const EventOrder& order) {
  ASSIGN_OR_RETURN(Entry* const entry, Find(groups_.Key()));
  entry->state.end = end;
  groups_.Update(order, &entry->state.aggregates);
  entry->state.corrected |= Closed(end);
  cache_.MarkDirty(entry);
  return entry;
}

absl::Status ClosingFold::OnTimer(absl::string_view key) {
  ASSIGN_OR_RETURN(Entry* const entry, Find(key));
  WindowState& state = entry->state;
  if (!state.exists) return absl::OkStatus();
  cache_.MarkDirty(entry);
  if (ExpiryOf(state.end) > watermark_) {
    Schedule(state.end, key);  // its row appears now; when will it leave?
    return absl::OkStatus();
  }
  state.exists = false;
  state.corrected = false;
  groups_.Clear(&state.aggregates);
  return absl::OkStatus();
}

absl::Status ClosingFold::Advance(EventTime watermark) {
  watermark_ = watermark;
  return timers_.TakeThrough(
      watermark,
      [this](EventTime, absl::string_view key) { return OnTimer(key); });
}

}  // namespace tidegate
