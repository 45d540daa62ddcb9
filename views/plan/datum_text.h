// A datum as a person reads it in an error message.
#ifndef TIDEGATE_VIEWS_PLAN_DATUM_TEXT_H_
#define TIDEGATE_VIEWS_PLAN_DATUM_TEXT_H_

#include <string>

#include "views/plan/datum.h"

namespace tidegate {

// "NULL", "true", "-1", "0.5", "2013-01-01T10:00:00Z"; text in double quotes,
// escaped, and cut off after kMaxQuotedBytes.
std::string DatumText(Type type, const Datum& value);

inline constexpr size_t kMaxQuotedBytes = 64;

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PLAN_DATUM_TEXT_H_
