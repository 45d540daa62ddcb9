// Builds serialized SubscribeResponse messages, byte by byte: rows are Protobuf
// already and are only wrapped.
#ifndef TIDEGATE_GATEWAY_CORE_RESPONSE_H_
#define TIDEGATE_GATEWAY_CORE_RESPONSE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "gateway/core/finality.h"
#include "gateway/core/resume_token.h"

namespace tidegate {

// Appends to a string it borrows. Thread-compatible. Each setter at most once;
// a change's `key` is a <View>Key message, `row` a <View>Row.
class ResponseBuilder {
 public:
  // `changes` are in a part of the message before `out`.
  explicit ResponseBuilder(std::string* out, size_t changes = 0)
      : out_(out), changes_(changes) {}
  void AddUpsert(absl::string_view row, Finality finality);
  void AddDeleted(absl::string_view key);
  void AddLeft(absl::string_view key);
  void AddRange(Seq from, Seq to);
  void SetToken(absl::string_view token);
  void SetSnapshot();
  void SetSnapshotEnd();
  void SetPosition(absl::string_view incarnation, Seq seq);
  void SetWatermark(EventTime watermark);  // kNoEventTime: left out
  void SetCommittedAt(ProcessingTime at);
  void SetSentAt(ProcessingTime at);
  void SetReset(ResetCause cause, absl::string_view detail);
  void SetDrain(int64_t retry_after_ms);
  void SetFragment();

  size_t size() const { return out_->size(); }
  size_t changes() const { return changes_; }

 private:
  void AddChange(uint32_t kind, absl::string_view bytes, Finality finality);
  std::string* const out_;
  size_t changes_;
};

// Appends a google.protobuf.Timestamp / Duration as field `field`.
void PutTimestampField(std::string* out, uint32_t field, int64_t micros);
void PutDurationField(std::string* out, uint32_t field, int64_t millis);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_RESPONSE_H_
