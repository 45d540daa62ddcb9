// CAST between the types, as Postgres does it.
#ifndef TIDEGATE_VIEWS_PLAN_CAST_H_
#define TIDEGATE_VIEWS_PLAN_CAST_H_

#include "absl/status/status.h"
#include "views/plan/datum.h"
#include "views/plan/expr.h"

namespace tidegate {

// Whether there is a cast: between the numbers, between BOOLEAN and the
// integers, between VARCHAR and everything, and from a type to itself.
bool CanCast(Type from, Type to);

// NULL stays NULL. OutOfRange if the value does not fit or the text does not
// read as `to`. DOUBLE PRECISION to an integer rounds half to even. Text that
// is made lies in `arena`.
absl::Status Cast(Type from, Type to, const Datum& value, TextArena* arena,
                  Datum* result);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PLAN_CAST_H_
