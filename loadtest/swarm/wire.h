// The request that a stream of the swarm begins with, and names for numbers of
// the contract. Pure.
#ifndef TIDEGATE_LOADTEST_SWARM_WIRE_H_
#define TIDEGATE_LOADTEST_SWARM_WIRE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace tidegate::swarm {

struct SubscribeCall {
  absl::string_view view;
  absl::Span<const std::string> keys;  // <View>Key messages, dealt out
  size_t first_key = 0;                // wraps around at the end of `keys`
  size_t key_count = 0;
  absl::string_view token;
  int64_t progress_ms = 0;  // 0: left out
};

// A serialized SubscribeRequest.
std::string EncodeSubscribe(const SubscribeCall& call);
// A serialized SessionRequest, numbered as its watch, that asks for
// `subscribe`.
std::string EncodeWatch(uint64_t id, absl::string_view subscribe);

// "UNAVAILABLE" for 14, "HISTORY_TRIMMED" for 1; the number if it has no name.
std::string CodeName(uint64_t code);
std::string ResetCauseName(uint64_t cause);

// A stream that ended with this google.rpc.Code may be asked for again.
bool MayRetry(int code);

// The stamp of a bare server's message (loadtest/bare): its fixed64 field 1, if
// that comes first; else 0.
int64_t RawStamp(absl::string_view message);

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_WIRE_H_
