// The Confluent wire format: byte 0, the schema's id in four bytes, for
// Protobuf the path to the message type, then the record as it was serialized.
#ifndef TIDEGATE_INGEST_REGISTRY_FRAMING_H_
#define TIDEGATE_INGEST_REGISTRY_FRAMING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tidegate {

inline constexpr char kFrameMagic = '\0';
inline constexpr size_t kFrameIdBytes = 5;  // with the magic byte
// How deep a Protobuf message type may be nested.
inline constexpr int kMaxMessageIndexes = 32;

struct Frame {
  int32_t schema_id = 0;
  std::vector<int> message_indexes;  // Protobuf only
  size_t size = 0;                   // of the frame's bytes
};

// Whether a record may be framed: what is bare JSON never begins so.
inline bool BeginsAsFrame(absl::string_view value) {
  return !value.empty() && value[0] == kFrameMagic;
}

// Reads magic and id. InvalidArgument says what is there instead.
absl::Status ParseFrame(absl::string_view value, Frame* frame);

// Reads, behind them, Protobuf's path: a count and so many indexes, each a
// zigzag varint; a count of 0 is the path [0].
absl::Status ParseMessageIndexes(absl::string_view value, Frame* frame);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_REGISTRY_FRAMING_H_
