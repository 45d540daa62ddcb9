// The scalar functions of the dialect.
#ifndef TIDEGATE_VIEWS_PLAN_FUNCTION_H_
#define TIDEGATE_VIEWS_PLAN_FUNCTION_H_

#include <cstdint>

#include "absl/status/status.h"
#include "views/plan/datum.h"
#include "views/plan/expr.h"

namespace tidegate {

enum class Function : uint8_t {
  // extract(year FROM ts) and so on, UTC: BIGINT, but for kSecond (with its
  // fraction) and kEpoch, which are DOUBLE PRECISION.
  kYear,
  kMonth,
  kDay,
  kHour,
  kMinute,
  kSecond,
  kDayOfWeek,  // 0 is Sunday
  kDayOfYear,
  kEpoch,  // seconds since 1970
  // date_trunc('second', ts) and so on, UTC.
  kStartOfSecond,
  kStartOfMinute,
  kStartOfHour,
  kStartOfDay,
  kStartOfMonth,
  kStartOfYear,
  // Of text. A character is a code point.
  kLength,     // in characters: INT
  kLower,      // A to Z only
  kUpper,      // a to z only
  kReplace,    // text, what, with what; nothing is replaced by an empty `what`
  kSubstring,  // text, first (from 1) [, length]: BIGINTs
  kTrim,       // spaces
  // Of numbers.
  kAbs,    // of any number; its type
  kRound,  // DOUBLE PRECISION, half to even
  kFloor,
  kCeil,
  // Two values of one type; NULL only if both are.
  kGreatest,
  kLeast,
};

// Calls `function` with `count` operands, the first of which has `type`; the
// result takes the place of operands[0]. NULL if an operand is (kGreatest and
// kLeast apart). OutOfRange on overflow, on a negative length and on text
// longer than kMaxTextBytes. Text that is made lies in `arena`.
absl::Status CallFunction(Function function, Type type, Datum* operands,
                          int count, TextArena* arena);

// Those of text; no operand is NULL.
absl::Status CallTextFunction(Function function, Datum* operands, int count,
                              TextArena* arena);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PLAN_FUNCTION_H_
