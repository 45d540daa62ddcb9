// Builds serialized SessionResponse messages out of serialized
// SubscribeResponses.
#ifndef TIDEGATE_GATEWAY_CORE_SESSION_RESPONSE_H_
#define TIDEGATE_GATEWAY_CORE_SESSION_RESPONSE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gateway/core/message.h"

namespace tidegate {

// Each appends one field of a SessionResponse to `out`, AppendUpdate one more
// for each number in `keys_applied` after the first.
void AppendUpdate(uint32_t id, const Message& response,
                  absl::Span<const uint64_t> keys_applied, std::string* out);
void AppendFailure(uint32_t id, const absl::Status& status, std::string* out);
void AppendSessionDrain(int64_t retry_after_ms, std::string* out);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SESSION_RESPONSE_H_
