// What TUMBLE, HOP and SESSION have in common: a row a window, which closes,
// may appear then, and leaves when its retention is over.
#ifndef TIDEGATE_VIEWS_FOLD_CLOSING_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_CLOSING_FOLD_H_

#include <string>

#include "views/fold/group_fold.h"
#include "views/fold/time_index.h"

namespace tidegate {

struct WindowState {
  AggregateStates aggregates;
  EventTime end = kNeverEventTime;
  bool exists = false;     // false before the first event and after the last
  bool corrected = false;  // an event was folded after the end
  size_t bytes() const { return BytesOf(aggregates); }
  void Renew() {
    aggregates.clear();
    end = kNeverEventTime;
    exists = corrected = false;
  }
  void Prefetch() const { tidegate::Prefetch(aggregates); }
};

// A key's state is a byte of flags, what the derived class adds, and the states
// of the aggregates. Whether a window has closed is not in it: that follows
// from the watermark. So a window's closing changes nothing but what becomes
// visible.
class ClosingFold : public GroupFold<WindowState> {
 public:
  EventTime next_timer() const override { return timers_.next(); }
  absl::Status Advance(EventTime watermark) override;
  size_t cached_bytes() const override {
    return cache_.bytes() + timers_.bytes();
  }

 protected:
  // As ViewFold::Create.
  ClosingFold(const ViewPlan* plan, const SourcePlan* source,
              const SourcePlan* joined, const RowSchema* schema,
              FoldSources sources, size_t max_cached_keys);

  bool Closed(EventTime end) const { return end <= watermark_; }
  // When the row leaves; kNeverEventTime if it stays.
  EventTime ExpiryOf(EventTime end) const;
  // Whether rows of this view appear or leave as time passes.
  bool has_timers() const {
    return plan_->emit_on_close || plan_->retention_us.has_value();
  }
  // Has Advance see to a window whose end no longer changes.
  void Schedule(EventTime end, absl::string_view key);
  // Folds the evaluator's event into the window that ends at `end`. Nothing is
  // changed if the look-up fails.
  absl::StatusOr<Entry*> Fold(EventTime end, const EventOrder& order);

  absl::Status Load(Entry* entry) override;
  void Encode(const WindowState& state, std::string* out) const override;
  absl::Status BuildRow(const Entry& entry, bool count_errors) override;
  bool Exists(const WindowState& state) const override { return state.exists; }
  bool Shown(const WindowState& state) const override {
    return !plan_->emit_on_close || Closed(state.end);
  }
  bool Corrected(const WindowState& state) const override {
    return state.corrected;
  }

  // The window's end, after the flags: appends it, and takes it off `in`, or
  // tells it from the key.
  virtual void EncodeEnd(EventTime end, std::string* out) const = 0;
  virtual absl::Status DecodeEnd(absl::string_view key, absl::string_view* in,
                                 EventTime* end) = 0;

  EventTime watermark_ = kNoEventTime;

 private:
  absl::Status OnTimer(absl::string_view key);

  // Each key at most once: at its window's end if its row appears then, else
  // when its row leaves.
  TimeIndex timers_;
};

// Takes the byte of flags off the front of a state; false if it is malformed.
bool GetWindowFlags(absl::string_view* in, bool* corrected);
void PutWindowFlags(bool corrected, std::string* out);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_CLOSING_FOLD_H_
