// Durations and names as they are written inside quotes.
#ifndef TIDEGATE_VIEWS_SQL_LITERALS_H_
#define TIDEGATE_VIEWS_SQL_LITERALS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate::sql {

// INTERVAL '2' SECOND (unit "second") and INTERVAL '1 hour 30 minutes' (unit
// empty), in microseconds. Months and years have no fixed length and are
// refused.
absl::StatusOr<int64_t> ParseInterval(absl::string_view text,
                                      absl::string_view unit);
bool IsIntervalUnit(absl::string_view word);

// '500ms', '5s', '1m', '2h', '1d' as milliseconds; above 0.
absl::StatusOr<int64_t> ParseDurationMs(absl::string_view text);

// "driver_totals" is DriverTotals.
std::string ToCamelCase(absl::string_view name);

// A view's Protobuf messages are named after it in CamelCase, which is its
// service's name, with these behind.
inline constexpr absl::string_view kTypedSuffixes[] = {
    "Row",
    "Key",
    "GetRequest",
    "GetResponse",
    "ScanRequest",
    "ScanResponse",
    "SubscribeRequest",
    "SubscribeResponse",
    "SessionRequest",
    "SessionResponse",
};

// What Protobuf's JSON calls a column, but for upper case, which older versions
// of Protobuf do not see: two of one view must differ.
std::string JsonName(absl::string_view name);

// Letters, digits and _, not starting with a digit: what Protobuf takes.
bool IsPlainName(absl::string_view name);

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_LITERALS_H_
