#include "ingest/registry/framing.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/coding.h"

namespace tidegate {
namespace {

absl::Status NotFramed(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("not in the schema registry's wire format: ", what));
}

// A zigzag varint that is not negative, and an int.
bool GetIndex(absl::string_view* in, int64_t* value) {
  uint64_t raw = 0;
  if (!GetVarint64(in, &raw)) return false;
  *value = UnZigZag(raw);
  return *value >= 0 && *value <= std::numeric_limits<int>::max();
}

}  // namespace

absl::Status ParseFrame(absl::string_view value, Frame* frame) {
  if (value.empty()) return NotFramed("the record is empty");
  if (value[0] != kFrameMagic) {
    return NotFramed(absl::StrFormat("it begins with byte 0x%02x, not 0x00",
                                     static_cast<unsigned char>(value[0])));
  }
  if (value.size() < kFrameIdBytes) {
    return NotFramed(
        absl::StrCat("it ends within the schema's id: bytes=", value.size()));
  }
  uint32_t id = 0;
  for (size_t i = 1; i < kFrameIdBytes; ++i) {
    id = id << 8 | static_cast<unsigned char>(value[i]);
  }
  if (id > static_cast<uint32_t>(std::numeric_limits<int32_t>::max())) {
    return NotFramed(absl::StrCat("no schema has the id ", id));
  }
  frame->schema_id = static_cast<int32_t>(id);
  frame->message_indexes.clear();
  frame->size = kFrameIdBytes;
  return absl::OkStatus();
}

absl::Status ParseMessageIndexes(absl::string_view value, Frame* frame) {
  absl::string_view in = value.substr(kFrameIdBytes);
  int64_t count = 0;
  if (!GetIndex(&in, &count) || count > kMaxMessageIndexes) {
    return NotFramed(absl::StrCat("schema ", frame->schema_id,
                                  ": no number of message indexes follows"));
  }
  frame->message_indexes.clear();
  if (count == 0) frame->message_indexes.push_back(0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t index = 0;
    if (!GetIndex(&in, &index)) {
      return NotFramed(absl::StrCat("schema ", frame->schema_id,
                                    ": it ends within its message indexes, or "
                                    "one is none: expected=",
                                    count, " found=", i));
    }
    frame->message_indexes.push_back(static_cast<int>(index));
  }
  frame->size = value.size() - in.size();
  return absl::OkStatus();
}

}  // namespace tidegate
