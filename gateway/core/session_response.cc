#include "gateway/core/session_response.h"

#include "base/coding.h"
#include "gateway/core/response.h"

namespace tidegate {
namespace {

// Fields of SessionResponse.
constexpr uint32_t kUpdates = 1;
constexpr uint32_t kDrain = 2;
// Fields of Update.
constexpr uint32_t kId = 1;
constexpr uint32_t kResponse = 2;
constexpr uint32_t kKeysApplied = 3;
constexpr uint32_t kFailure = 4;

void PutUint(std::string* out, uint32_t field, uint64_t value) {
  if (value == 0) return;
  PutTag(out, field, WireType::kVarint);
  PutVarint64(out, value);
}

void PutBytes(std::string* out, uint32_t field, absl::string_view bytes) {
  PutTag(out, field, WireType::kLengthDelimited);
  PutLengthPrefixed(out, bytes);
}

}  // namespace

void AppendUpdate(uint32_t id, const Message& response,
                  absl::Span<const uint64_t> keys_applied, std::string* out) {
  std::string head;
  PutUint(&head, kId, id);
  PutTag(&head, kResponse, WireType::kLengthDelimited);
  PutVarint64(&head, response.size());
  std::string tail;
  if (!keys_applied.empty()) PutUint(&tail, kKeysApplied, keys_applied[0]);
  PutTag(out, kUpdates, WireType::kLengthDelimited);
  PutVarint64(out, head.size() + response.size() + tail.size());
  out->append(head);
  if (response.shared != nullptr) out->append(*response.shared);
  out->append(response.own);
  out->append(tail);
  for (size_t i = 1; i < keys_applied.size(); ++i) {
    std::string update;
    PutUint(&update, kId, id);
    PutUint(&update, kKeysApplied, keys_applied[i]);
    PutBytes(out, kUpdates, update);
  }
}

void AppendFailure(uint32_t id, const absl::Status& status, std::string* out) {
  std::string failure;
  PutUint(&failure, 1, static_cast<uint64_t>(status.code()));
  PutBytes(&failure, 2, status.message());
  std::string update;
  PutUint(&update, kId, id);
  PutBytes(&update, kFailure, failure);
  PutBytes(out, kUpdates, update);
}

void AppendSessionDrain(int64_t retry_after_ms, std::string* out) {
  std::string body;
  PutDurationField(&body, 1, retry_after_ms);
  PutBytes(out, kDrain, body);
}

}  // namespace tidegate
