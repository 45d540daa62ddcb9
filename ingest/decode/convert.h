// What the decoders share: text to datums, and how errors name what was found.
#ifndef TIDEGATE_INGEST_DECODE_CONVERT_H_
#define TIDEGATE_INGEST_DECODE_CONVERT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "views/plan/plan.h"

namespace tidegate {

// The range of TIMESTAMPTZ, years 1 to 9999, in seconds since 1970.
inline constexpr int64_t kMinTimestampSeconds = -62'135'596'800;
inline constexpr int64_t kMaxTimestampSeconds = 253'402'300'799;

// False if `millis` lies outside the range.
bool MillisToMicros(int64_t millis, int64_t* micros);

// At most kMaxQuotedBytes of `text`, printable, for an error message.
std::string Quoted(absl::string_view text);
inline constexpr size_t kMaxQuotedBytes = 64;

// InvalidArgument `column "amount": expected DOUBLE PRECISION, found …`.
absl::Status WrongValue(const Column& column, absl::string_view found);

// Reads a Kafka key's text strictly: no spaces, no leading '+'. Text borrows
// from `text`.
absl::Status ParseText(const Column& column, absl::string_view text,
                       Datum* datum);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_CONVERT_H_
