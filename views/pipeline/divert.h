// Why a view did not take an event.
#ifndef TIDEGATE_VIEWS_PIPELINE_DIVERT_H_
#define TIDEGATE_VIEWS_PIPELINE_DIVERT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace tidegate {

enum class DivertReason : uint8_t {
  kUndecodable,  // for every view of the source
  kFuture,       // too far ahead of the clock; for every view of the source
  kLate,         // its window has closed, or the reorder buffer has passed it
  kExpression,   // an expression failed
  kNoEventTime,  // NULL in the WATERMARK column, for views that need one
  // What it was written with does not fit the source; for every view of it.
  kIncompatibleSchema,
};
inline constexpr int kDivertReasons = 6;
// "undecodable", "future", "late", "expression", "no_event_time",
// "incompatible_schema".
absl::string_view DivertReasonName(DivertReason reason);

// A view that did not take an event, or not for all of its windows: the event
// goes to the dead-letter topic, naming the views.
struct Diverted {
  std::string view;
  DivertReason reason = DivertReason::kExpression;
  std::string detail;
  std::vector<EventTime> windows;  // starts; kLate with windows only
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PIPELINE_DIVERT_H_
