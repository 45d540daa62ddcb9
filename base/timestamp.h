// TIMESTAMPTZ as text: RFC 3339 (and what SQL users write), microseconds UTC.
#ifndef TIDEGATE_BASE_TIMESTAMP_H_
#define TIDEGATE_BASE_TIMESTAMP_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// "2013-01-01T10:00:00Z", with as many fractional digits (0, 3 or 6) as needed.
std::string FormatTimestamp(int64_t micros);

// Accepts 'T' or a space between date and time, a fraction of up to 9 digits
// (beyond microseconds cut off), and "Z", "+hh:mm", "+hhmm", "+hh" or no offset
// (UTC); a date alone is midnight, seconds may be left out. Years 0001 to 9999.
absl::StatusOr<int64_t> ParseTimestamp(absl::string_view text);

}  // namespace tidegate

#endif  // TIDEGATE_BASE_TIMESTAMP_H_
