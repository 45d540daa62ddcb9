#include "gateway/core/response.h"

#include "base/coding.h"

namespace tidegate {
namespace {

// Field numbers of proto/tidegate/v1/view_service.proto.
enum ResponseField : uint32_t {
  kChanges = 1,
  kRanges = 2,
  kResumeToken = 3,
  kSnapshot = 4,
  kSnapshotEnd = 5,
  kPosition = 6,
  kWatermark = 7,
  kCommittedAt = 8,
  kSentAt = 9,
  kReset = 10,
  kDrain = 11,
  kFragment = 12,
};
constexpr uint32_t kUpsert = 1;
constexpr uint32_t kDeleted = 2;
constexpr uint32_t kLeft = 3;
constexpr uint32_t kFinality = 4;
constexpr int64_t kMicros = 1'000'000;

void PutBytes(std::string* out, uint32_t field, absl::string_view bytes) {
  PutTag(out, field, WireType::kLengthDelimited);
  PutLengthPrefixed(out, bytes);
}

void PutUint(std::string* out, uint32_t field, uint64_t value) {
  if (value == 0) return;
  PutTag(out, field, WireType::kVarint);
  PutVarint64(out, value);
}

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// `seconds` and `nanos` are fields 1 and 2 of Timestamp and of Duration.
void PutSeconds(std::string* out, uint32_t field, int64_t seconds,
                int64_t nanos) {
  std::string body;
  PutUint(&body, 1, static_cast<uint64_t>(seconds));
  PutUint(&body, 2, static_cast<uint64_t>(nanos));
  PutBytes(out, field, body);
}

}  // namespace

void PutTimestampField(std::string* out, uint32_t field, int64_t micros) {
  int64_t seconds = micros / kMicros;
  int64_t rest = micros % kMicros;
  if (rest < 0) {  // nanos count forward, also before 1970
    rest += kMicros;
    --seconds;
  }
  PutSeconds(out, field, seconds, rest * 1000);
}

void PutDurationField(std::string* out, uint32_t field, int64_t millis) {
  PutSeconds(out, field, millis / 1000, millis % 1000 * 1'000'000);
}

void ResponseBuilder::AddChange(uint32_t kind, absl::string_view bytes,
                                Finality finality) {
  // Tags and values of one byte each; what is unspecified is left out.
  const size_t finality_size = finality == Finality::kUnspecified ? 0 : 2;
  PutTag(out_, kChanges, WireType::kLengthDelimited);
  PutVarint64(out_,
              1 + VarintSize(bytes.size()) + bytes.size() + finality_size);
  PutTag(out_, kind, WireType::kLengthDelimited);
  PutLengthPrefixed(out_, bytes);
  PutUint(out_, kFinality, static_cast<uint64_t>(finality));
  ++changes_;
}

void ResponseBuilder::AddUpsert(absl::string_view row, Finality finality) {
  AddChange(kUpsert, row, finality);
}

void ResponseBuilder::AddDeleted(absl::string_view key) {
  AddChange(kDeleted, key, Finality::kUnspecified);
}

void ResponseBuilder::AddLeft(absl::string_view key) {
  AddChange(kLeft, key, Finality::kUnspecified);
}

void ResponseBuilder::AddRange(Seq from, Seq to) {
  std::string body;  // partition 0 is the default
  PutUint(&body, 2, from.value());
  PutUint(&body, 3, to.value());
  PutBytes(out_, kRanges, body);
}

void ResponseBuilder::SetToken(absl::string_view token) {
  PutBytes(out_, kResumeToken, token);
}

void ResponseBuilder::SetSnapshot() { PutUint(out_, kSnapshot, 1); }

void ResponseBuilder::SetSnapshotEnd() { PutUint(out_, kSnapshotEnd, 1); }

void ResponseBuilder::SetPosition(absl::string_view incarnation, Seq seq) {
  std::string partition;
  PutUint(&partition, 2, seq.value());
  std::string body;
  PutBytes(&body, 1, incarnation);
  PutBytes(&body, 2, partition);
  PutBytes(out_, kPosition, body);
}

void ResponseBuilder::SetWatermark(EventTime watermark) {
  if (watermark == kNoEventTime) return;
  PutTimestampField(out_, kWatermark, watermark.value());
}

void ResponseBuilder::SetCommittedAt(ProcessingTime at) {
  PutTimestampField(out_, kCommittedAt, at.value());
}

void ResponseBuilder::SetSentAt(ProcessingTime at) {
  PutTimestampField(out_, kSentAt, at.value());
}

void ResponseBuilder::SetReset(ResetCause cause, absl::string_view detail) {
  std::string body;
  PutUint(&body, 1, static_cast<uint64_t>(cause));
  PutBytes(&body, 2, detail);
  PutBytes(out_, kReset, body);
}

void ResponseBuilder::SetDrain(int64_t retry_after_ms) {
  std::string body;
  PutDurationField(&body, 1, retry_after_ms);
  PutBytes(out_, kDrain, body);
}

void ResponseBuilder::SetFragment() { PutUint(out_, kFragment, 1); }

}  // namespace tidegate
