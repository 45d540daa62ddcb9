#include "views/fold/session_fold.h"

#include <algorithm>

#include "base/coding.h"
#include "base/status_macros.h"
#include "views/fold/window_math.h"

namespace tidegate {

SessionFold::SessionFold(const ViewPlan* plan, const SourcePlan* source,
                         const SourcePlan* joined, const RowSchema* schema,
                         FoldSources sources, size_t max_cached_keys)
    : ClosingFold(plan, source, joined, schema, sources, max_cached_keys),
      gap_us_(plan->window->size_us),
      scan_(std::move(sources.scan)) {}

size_t SessionFold::BytesOf(const Sessions::value_type& entry) {
  return sizeof(entry) + sizeof(Ends::value_type) + entry.first.capacity() +
         entry.second.key.capacity();
}

void SessionFold::Begin(absl::string_view group, Session session) {
  const auto [at, is_new] = sessions_.try_emplace(std::string(group));
  if (!is_new) {
    session_bytes_ -= BytesOf(*at);
    ends_.erase({at->second.end, &at->first});
    Schedule(at->second.end, at->second.key);
  }
  at->second = std::move(session);
  session_bytes_ += BytesOf(*at);
  ends_.emplace(at->second.end, &at->first);
}

void SessionFold::Extend(Sessions::iterator at, EventTime end) {
  auto node = ends_.extract({at->second.end, &at->first});
  node.value().first = end;
  ends_.insert(std::move(node));
  at->second.end = end;
}

absl::Status SessionFold::Open(EventTime watermark) {
  watermark_ = watermark;
  std::string group;
  return scan_([&](absl::string_view key, const Stored& stored) {
    Session session;
    session.key = std::string(key);
    absl::string_view in = stored.state;
    bool corrected;
    if (!GetWindowFlags(&in, &corrected)) return groups_.Malformed();
    RETURN_IF_ERROR(DecodeEnd(key, &in, &session.end));
    RETURN_IF_ERROR(groups_.SplitKey(key, &group, &session.start));
    const auto other = sessions_.find(group);
    if (Closed(session.end) ||
        (other != sessions_.end() && other->second.start > session.start)) {
      Schedule(session.end, key);
    } else {
      Begin(group, std::move(session));
    }
    return absl::OkStatus();
  });
}

absl::Status SessionFold::Apply(const Event& event, LateEvent* /*late*/) {
  if (event.no_event_time) return absl::InvalidArgumentError("no event time");
  bool passes;
  RETURN_IF_ERROR(groups_.Read(event, &passes));
  if (!passes) return absl::OkStatus();
  const EventTime time = event.order.time;
  int64_t end_us;
  if (__builtin_add_overflow(time.value(), gap_us_, &end_us)) {
    return WindowOutOfRange(time);
  }
  const EventTime end(end_us);
  RETURN_IF_ERROR(groups_.Evaluate());
  const absl::string_view group = groups_.FixedKey();
  const auto at = sessions_.find(group);
  const bool joins = at != sessions_.end() && time < at->second.end;
  const EventTime start = joins ? at->second.start : time;
  RETURN_IF_ERROR(groups_.EvaluateWindow(start, end));
  ASSIGN_OR_RETURN(Entry* const entry, Fold(end, event.order));
  entry->state.exists = true;
  if (joins) {
    Extend(at, end);
  } else {
    Begin(group, {.start = start, .end = end, .key = entry->key});
  }
  return absl::OkStatus();
}

absl::Status SessionFold::Advance(EventTime watermark) {
  // Still open as far as Schedule() knows: so their rows appear below.
  while (!ends_.empty() && ends_.begin()->first <= watermark) {
    const auto at = sessions_.find(*ends_.begin()->second);
    ends_.erase(ends_.begin());
    Schedule(at->second.end, at->second.key);
    session_bytes_ -= BytesOf(*at);
    sessions_.erase(at);
  }
  return ClosingFold::Advance(watermark);
}

EventTime SessionFold::next_timer() const {
  const EventTime next = ClosingFold::next_timer();
  if (ends_.empty()) return next;
  const EventTime end = ends_.begin()->first;
  return std::min(next, plan_->emit_on_close ? end : ExpiryOf(end));
}

size_t SessionFold::cached_bytes() const {
  return ClosingFold::cached_bytes() + session_bytes_;
}

void SessionFold::EncodeEnd(EventTime end, std::string* out) const {
  PutVarint64(out, ZigZag(end.value()));
}

absl::Status SessionFold::DecodeEnd(absl::string_view /*key*/,
                                    absl::string_view* in, EventTime* end) {
  uint64_t value;
  if (!GetVarint64(in, &value)) return groups_.Malformed();
  *end = EventTime(UnZigZag(value));
  return absl::OkStatus();
}

}  // namespace tidegate
