#include "loadtest/swarm/wire.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "base/coding.h"

namespace tidegate::swarm {
namespace {

constexpr std::array<absl::string_view, 17> kCodes = {"OK",
                                                      "CANCELLED",
                                                      "UNKNOWN",
                                                      "INVALID_ARGUMENT",
                                                      "DEADLINE_EXCEEDED",
                                                      "NOT_FOUND",
                                                      "ALREADY_EXISTS",
                                                      "PERMISSION_DENIED",
                                                      "RESOURCE_EXHAUSTED",
                                                      "FAILED_PRECONDITION",
                                                      "ABORTED",
                                                      "OUT_OF_RANGE",
                                                      "UNIMPLEMENTED",
                                                      "INTERNAL",
                                                      "UNAVAILABLE",
                                                      "DATA_LOSS",
                                                      "UNAUTHENTICATED"};
constexpr std::array<absl::string_view, 4> kResetCauses = {
    "CAUSE_UNSPECIFIED", "HISTORY_TRIMMED", "UNKNOWN_INCARNATION",
    "VIEW_REBUILT"};
// CANCELLED, UNKNOWN (a reset stream), RESOURCE_EXHAUSTED, ABORTED, INTERNAL,
// UNAVAILABLE.
constexpr std::array<int, 6> kRetried = {1, 2, 8, 10, 13, 14};
constexpr char kStampTag = 0x09;

// Field numbers of SubscribeRequest.
constexpr uint32_t kView = 1;
constexpr uint32_t kKeys = 2;
constexpr uint32_t kResumeToken = 5;
constexpr uint32_t kProgressInterval = 8;
// Of SessionRequest and its Watch.
constexpr uint32_t kRequest = 1;
constexpr uint32_t kWatch = 2;
constexpr uint32_t kWatchId = 1;
constexpr uint32_t kWatchSubscribe = 2;

template <size_t N>
std::string NameOf(const std::array<absl::string_view, N>& names,
                   uint64_t number) {
  if (number < N) return std::string(names[number]);
  return absl::StrCat(number);
}

void PutBytes(std::string* out, uint32_t field, absl::string_view bytes) {
  PutTag(out, field, WireType::kLengthDelimited);
  PutLengthPrefixed(out, bytes);
}

void PutUint(std::string* out, uint32_t field, int64_t value) {
  PutTag(out, field, WireType::kVarint);
  PutVarint64(out, static_cast<uint64_t>(value));
}

}  // namespace

std::string EncodeSubscribe(const SubscribeCall& call) {
  std::string request;
  PutBytes(&request, kView, call.view);
  for (size_t i = 0; i < call.key_count && !call.keys.empty(); ++i) {
    PutBytes(&request, kKeys,
             call.keys[(call.first_key + i) % call.keys.size()]);
  }
  if (!call.token.empty()) PutBytes(&request, kResumeToken, call.token);
  if (call.progress_ms > 0) {
    std::string duration;
    PutUint(&duration, 1, call.progress_ms / 1000);
    PutUint(&duration, 2, call.progress_ms % 1000 * 1'000'000);
    PutBytes(&request, kProgressInterval, duration);
  }
  return request;
}

std::string EncodeWatch(uint64_t id, absl::string_view subscribe) {
  std::string watch;
  PutUint(&watch, kWatchId, static_cast<int64_t>(id));
  PutBytes(&watch, kWatchSubscribe, subscribe);
  std::string request;
  PutUint(&request, kRequest, static_cast<int64_t>(id));
  PutBytes(&request, kWatch, watch);
  return request;
}

std::string CodeName(uint64_t code) { return NameOf(kCodes, code); }

std::string ResetCauseName(uint64_t cause) {
  return NameOf(kResetCauses, cause);
}

bool MayRetry(int code) {
  return std::find(kRetried.begin(), kRetried.end(), code) != kRetried.end();
}

int64_t RawStamp(absl::string_view message) {
  uint64_t stamp = 0;
  if (message.empty() || message.front() != kStampTag) return 0;
  message.remove_prefix(1);
  if (!GetFixed64LittleEndian(&message, &stamp)) return 0;
  return static_cast<int64_t>(stamp);
}

}  // namespace tidegate::swarm
