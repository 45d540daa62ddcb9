// The resume token: opaque bytes to clients, checked when they come back.
#ifndef TIDEGATE_GATEWAY_CORE_RESUME_TOKEN_H_
#define TIDEGATE_GATEWAY_CORE_RESUME_TOKEN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "gateway/core/delta_range.h"
#include "views/store/materialized_store.h"

namespace tidegate {

inline constexpr size_t kMaxTokenBytes = 64u << 10;

// As on the wire (Reset.Cause).
enum class ResetCause : uint8_t {
  kHistoryTrimmed = 1,
  kUnknownIncarnation = 2,
  kViewRebuilt = 3,
};
inline constexpr int kResetCauses = 4;  // causes index arrays of this size
// "HISTORY_TRIMMED", …
absl::string_view ResetCauseName(ResetCause cause);

// Where a subscriber was within its snapshot. Every key up to and including
// `last_key` (all keys, if `all_sent`) has been sent, as of some position
// between `oldest` and the token's own.
struct SnapshotProgress {
  Seq oldest;
  std::string last_key;
  bool all_sent = false;
  friend bool operator==(const SnapshotProgress&,
                         const SnapshotProgress&) = default;
};

struct ResumeToken {
  uint64_t view_hash = 0;
  uint64_t view_version = 0;
  uint64_t filter_hash = 0;
  std::string incarnation;
  Seq seq;  // of partition 0, the only one of an embedded log
  std::optional<SnapshotProgress> snapshot;
  friend bool operator==(const ResumeToken&, const ResumeToken&) = default;
};

std::string EncodeToken(const ResumeToken& token);
// InvalidArgument if the bytes were not made by EncodeToken.
absl::StatusOr<ResumeToken> DecodeToken(absl::string_view bytes);

// Of everything that decides which rows a subscriber gets, the view aside; the
// keys do not count if they come and go.
uint64_t FilterHash(const SubscriptionFilter& filter);

// What a token leads to: carrying on, or a reset with its cause.
struct TokenVerdict {
  std::optional<ResetCause> reset;
  std::string detail;  // why, if reset
};

// InvalidArgument if the token belongs to another view or filter.
absl::StatusOr<TokenVerdict> JudgeToken(const ResumeToken& token,
                                        absl::string_view view_name,
                                        uint64_t view_version,
                                        uint64_t filter_hash,
                                        const MaterializedStore& store);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_RESUME_TOKEN_H_
