#include "views/pipeline/divert.h"

namespace tidegate {

absl::string_view DivertReasonName(DivertReason reason) {
  switch (reason) {
    case DivertReason::kUndecodable:
      return "undecodable";
    case DivertReason::kFuture:
      return "future";
    case DivertReason::kLate:
      return "late";
    case DivertReason::kExpression:
      return "expression";
    case DivertReason::kNoEventTime:
      return "no_event_time";
    case DivertReason::kIncompatibleSchema:
      return "incompatible_schema";
  }
  return "?";
}

}  // namespace tidegate
