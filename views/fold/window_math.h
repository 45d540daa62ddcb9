// Where windows begin and end, without ever overflowing.
#ifndef TIDEGATE_VIEWS_FOLD_WINDOW_MATH_H_
#define TIDEGATE_VIEWS_FOLD_WINDOW_MATH_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace tidegate {

inline absl::Status WindowOutOfRange(EventTime time) {
  return absl::OutOfRangeError(absl::StrCat(
      "timestamp out of range: window of event time (us) ", time.value()));
}

// The greatest offset + k * step that is not after `time`; OutOfRange if there
// is none. `step` is positive, `offset` in [0, step).
inline absl::Status FloorTime(EventTime time, int64_t step, int64_t offset,
                              int64_t* floor) {
  int64_t above = time.value() % step;
  if (above < 0) above += step;
  above -= offset;
  if (above < 0) above += step;
  if (__builtin_sub_overflow(time.value(), above, floor)) {
    return WindowOutOfRange(time);
  }
  return absl::OkStatus();
}

// The starts of the windows that hold an event, `slide` apart.
struct WindowSpan {
  int64_t first = 0;
  int64_t last = 0;
};

// The windows [start, start + size) that hold `time`, start = offset +
// k * slide; OutOfRange unless all of them can be told. `slide` divides `size`.
inline absl::Status WindowsOf(EventTime time, int64_t size, int64_t slide,
                              int64_t offset, WindowSpan* span) {
  RETURN_IF_ERROR(FloorTime(time, slide, offset, &span->last));
  int64_t end;
  if (__builtin_sub_overflow(span->last, size - slide, &span->first) ||
      __builtin_add_overflow(span->last, size, &end)) {
    return WindowOutOfRange(time);
  }
  return absl::OkStatus();
}

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_WINDOW_MATH_H_
