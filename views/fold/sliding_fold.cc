#include "views/fold/sliding_fold.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/coding.h"
#include "base/status_macros.h"
#include "views/fold/closing_fold.h"
#include "views/fold/window_math.h"

namespace tidegate {

size_t SlidingState::bytes() const {
  size_t total = panes.capacity() * sizeof(Pane);
  for (const Pane& pane : panes) total += BytesOf(pane.aggregates);
  return total;
}

SlidingFold::SlidingFold(const ViewPlan* plan, const SourcePlan* source,
                         const SourcePlan* joined, const RowSchema* schema,
                         FoldSources sources, size_t max_cached_keys)
    : GroupFold(plan, source, joined, schema, sources, max_cached_keys),
      window_(*plan->window),
      scan_(std::move(sources.scan)) {}

// With starts at multiples of the step, "the watermark is at start + size" and
// "the steps that end with the watermark's no longer reach back to start" are
// the same.
EventTime SlidingFold::ExpiryOf(const Pane& pane) const {
  return Later(pane.start, window_.size_us);
}

absl::Status SlidingFold::DecodeCount(absl::string_view* in,
                                      uint64_t* panes) const {
  bool corrected;
  if (!GetWindowFlags(in, &corrected) || !GetVarint64(in, panes) ||
      *panes == 0 || *panes > in->size()) {  // each takes a byte at least
    return groups_.Malformed();
  }
  return absl::OkStatus();
}

absl::Status SlidingFold::DecodePane(absl::string_view* in, Pane* pane) const {
  uint64_t start;
  if (!GetVarint64(in, &start)) return groups_.Malformed();
  pane->start = EventTime(UnZigZag(start));
  return groups_.Decode(in, &pane->aggregates);
}

absl::Status SlidingFold::Load(Entry* entry) {
  absl::string_view in = entry->state_bytes;
  if (in.empty()) return absl::OkStatus();
  uint64_t panes;
  RETURN_IF_ERROR(DecodeCount(&in, &panes));
  entry->state.panes.resize(panes);
  for (Pane& pane : entry->state.panes) RETURN_IF_ERROR(DecodePane(&in, &pane));
  return in.empty() ? absl::OkStatus() : groups_.Malformed();
}

void SlidingFold::Encode(const SlidingState& state, std::string* out) const {
  PutWindowFlags(/*corrected=*/false, out);
  PutVarint64(out, state.panes.size());
  for (const Pane& pane : state.panes) {
    PutVarint64(out, ZigZag(pane.start.value()));
    groups_.Encode(pane.aggregates, out);
  }
}

absl::Status SlidingFold::BuildRow(const Entry& entry, bool count_errors) {
  const std::vector<Pane>& panes = entry.state.panes;
  const AggregateStates* aggregates = &panes.front().aggregates;
  if (panes.size() > 1) {
    groups_.Clear(&merged_);
    for (const Pane& pane : panes) groups_.Merge(pane.aggregates, &merged_);
    aggregates = &merged_;
  }
  return groups_.BuildRow(entry.key, *aggregates, kNeverEventTime,
                          count_errors);
}

absl::Status SlidingFold::Open(EventTime watermark) {
  watermark_ = watermark;
  return scan_([this](absl::string_view key, const Stored& stored) {
    absl::string_view in = stored.state;
    uint64_t panes;
    RETURN_IF_ERROR(DecodeCount(&in, &panes));
    Pane first;
    RETURN_IF_ERROR(DecodePane(&in, &first));
    timers_.Add(ExpiryOf(first), key);
    return absl::OkStatus();
  });
}

absl::Status SlidingFold::Apply(const Event& event, LateEvent* late) {
  if (event.no_event_time) return absl::InvalidArgumentError("no event time");
  bool passes;
  RETURN_IF_ERROR(groups_.Read(event, &passes));
  if (!passes) return absl::OkStatus();
  int64_t start;
  RETURN_IF_ERROR(
      FloorTime(event.order.time, window_.slide_us, window_.offset_us, &start));
  int64_t expiry;
  if (__builtin_add_overflow(start, window_.size_us, &expiry)) {
    return WindowOutOfRange(event.order.time);
  }
  if (EventTime(expiry) <= watermark_) {
    late->late = true;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(groups_.Evaluate());
  ASSIGN_OR_RETURN(Entry* const entry, Find(groups_.Key()));
  // Nothing below can fail. Most events are of the newest panes.
  std::vector<Pane>& panes = entry->state.panes;
  auto at = panes.end();
  while (at != panes.begin() && std::prev(at)->start >= EventTime(start)) --at;
  if (at == panes.end() || at->start != EventTime(start)) {
    if (at == panes.begin()) timers_.Add(EventTime(expiry), entry->key);
    at = panes.insert(at, Pane());
    at->start = EventTime(start);
    groups_.Clear(&at->aggregates);
  }
  groups_.Update(event.order, &at->aggregates);
  cache_.MarkDirty(entry);
  return absl::OkStatus();
}

absl::Status SlidingFold::OnTimer(absl::string_view key) {
  ASSIGN_OR_RETURN(Entry* const entry, Find(key));
  std::vector<Pane>& panes = entry->state.panes;
  const auto kept = std::find_if(
      panes.begin(), panes.end(),
      [this](const Pane& pane) { return ExpiryOf(pane) > watermark_; });
  if (kept == panes.begin()) return absl::OkStatus();  // was there twice
  panes.erase(panes.begin(), kept);
  cache_.MarkDirty(entry);
  if (!panes.empty()) timers_.Add(ExpiryOf(panes.front()), key);
  return absl::OkStatus();
}

absl::Status SlidingFold::Advance(EventTime watermark) {
  watermark_ = watermark;
  return timers_.TakeThrough(
      watermark,
      [this](EventTime, absl::string_view key) { return OnTimer(key); });
}

}  // namespace tidegate
