// Keys by the event time at which something becomes of them: a window closes,
// a row's retention is over.
#ifndef TIDEGATE_VIEWS_FOLD_TIME_INDEX_H_
#define TIDEGATE_VIEWS_FOLD_TIME_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/coding.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace tidegate {

// `by_us` (>= 0) later than `at`; kNeverEventTime if there is no such time.
inline EventTime Later(EventTime at, int64_t by_us) {
  return at.value() > kNeverEventTime.value() - by_us
             ? kNeverEventTime
             : EventTime(at.value() + by_us);
}

// Keys are never taken out before their time: whoever takes them looks whether
// it is still so. Thread-compatible. Memory: a key's bytes and some more.
class TimeIndex {
 public:
  void Add(EventTime at, absl::string_view key) {
    std::string& keys = keys_[at];
    const size_t before = keys.size();
    PutLengthPrefixed(&keys, key);
    bytes_ += keys.size() - before;
  }

  // The earliest time there is; kNeverEventTime if none.
  EventTime next() const {
    return keys_.empty() ? kNeverEventTime : keys_.begin()->first;
  }

  // Takes out every key of a time <= `through`, in the order of times, then of
  // coming in. `sink` may Add keys of later times. Ends at an error.
  absl::Status TakeThrough(
      EventTime through,
      absl::FunctionRef<absl::Status(EventTime, absl::string_view key)> sink) {
    while (!keys_.empty() && keys_.begin()->first <= through) {
      const EventTime at = keys_.begin()->first;
      const std::string keys = std::move(keys_.begin()->second);
      keys_.erase(keys_.begin());
      bytes_ -= keys.size();
      absl::string_view rest = keys;
      absl::string_view key;
      while (GetLengthPrefixed(&rest, &key)) {
        RETURN_IF_ERROR(sink(at, key));
      }
    }
    return absl::OkStatus();
  }

  size_t bytes() const { return bytes_; }

 private:
  std::map<EventTime, std::string> keys_;  // length-prefixed, one after another
  size_t bytes_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_TIME_INDEX_H_
