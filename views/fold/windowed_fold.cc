#include "views/fold/windowed_fold.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {

WindowedFold::WindowedFold(const ViewPlan* plan, const SourcePlan* source,
                           const SourcePlan* joined, const RowSchema* schema,
                           FoldSources sources, size_t max_cached_keys)
    : ClosingFold(plan, source, joined, schema, sources, max_cached_keys),
      window_(*plan->window),
      scan_(std::move(sources.scan)) {}

absl::Status WindowedFold::Open(EventTime watermark) {
  watermark_ = watermark;
  if (!has_timers()) return absl::OkStatus();
  return scan_([this](absl::string_view key, const Stored&) -> absl::Status {
    ASSIGN_OR_RETURN(const EventTime end, groups_.WindowEnd(key));
    Schedule(end, key);
    return absl::OkStatus();
  });
}

bool WindowedFold::Target::Has(int64_t start) const {
  return named == nullptr || std::find(named->begin(), named->end(),
                                       EventTime(start)) != named->end();
}

absl::Status WindowedFold::TargetOf(const Event& event, Target* target) const {
  RETURN_IF_ERROR(WindowsOf(event.order.time, window_.size_us, window_.slide_us,
                            window_.offset_us, &target->span));
  if (event.replay == nullptr) return absl::OkStatus();
  target->replay = true;
  const auto view = event.replay->find(plan_->name);
  if (view == event.replay->end()) {
    return absl::InternalError(
        absl::StrCat("a replay for other views came to view=", plan_->name));
  }
  if (view->second.empty()) return absl::OkStatus();
  target->named = &view->second;
  for (const EventTime name : view->second) {
    const int64_t start = name.value();
    if (start < target->span.first || start > target->span.last ||
        (start - target->span.first) % window_.slide_us != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "replay names a window that does not hold the event: window_start "
          "(us) ",
          start, ", event time (us) ", event.order.time.value()));
    }
  }
  return absl::OkStatus();
}

EventTime WindowedFold::EndOf(int64_t start) const {
  return EventTime(start + window_.size_us);
}

bool WindowedFold::IsLate(int64_t start, bool replay) const {
  const EventTime end = EndOf(start);
  return (replay ? ExpiryOf(end) : Later(end, plan_->allowed_lateness_us)) <=
         watermark_;
}

absl::Status WindowedFold::Apply(const Event& event, LateEvent* late) {
  if (event.no_event_time) return absl::InvalidArgumentError("no event time");
  bool passes;
  RETURN_IF_ERROR(groups_.Read(event, &passes));
  if (!passes) return absl::OkStatus();
  Target target;
  RETURN_IF_ERROR(TargetOf(event, &target));
  // Windows close in the order of their starts.
  const auto [first, last] = target.span;
  int64_t open = first;
  while (open <= last && IsLate(open, target.replay)) open += window_.slide_us;
  if (open <= last) RETURN_IF_ERROR(groups_.Evaluate());
  if (groups_.window_can_fail() && open < last) {
    // All of them, or none.
    for (int64_t start = open; start <= last; start += window_.slide_us) {
      if (!target.Has(start)) continue;
      RETURN_IF_ERROR(groups_.EvaluateWindow(EventTime(start), EndOf(start)));
    }
  }
  for (int64_t start = open; start <= last; start += window_.slide_us) {
    if (!target.Has(start)) continue;
    RETURN_IF_ERROR(groups_.EvaluateWindow(EventTime(start), EndOf(start)));
    ASSIGN_OR_RETURN(Entry* const entry, Fold(EndOf(start), event.order));
    if (entry->state.exists) continue;
    entry->state.exists = true;
    Schedule(EndOf(start), entry->key);
  }
  for (int64_t start = first; start < open; start += window_.slide_us) {
    if (!target.Has(start)) continue;
    late->late = true;
    late->windows.emplace_back(start);
  }
  return absl::OkStatus();
}

void WindowedFold::EncodeEnd(EventTime /*end*/, std::string* /*out*/) const {}

absl::Status WindowedFold::DecodeEnd(absl::string_view key,
                                     absl::string_view* /*in*/,
                                     EventTime* end) {
  ASSIGN_OR_RETURN(*end, groups_.WindowEnd(key));
  return absl::OkStatus();
}

}  // namespace tidegate
