#include "ingest/decode/wire_scanner.h"

#include <array>

namespace tidegate {

bool WireScanner::SkipGroup() {
  const uint32_t group = number_;
  std::array<uint32_t, kMaxGroupDepth> open;
  open[0] = group;
  int depth = 1;
  while (depth > 0) {
    uint64_t tag = 0;
    if (!Varint(&tag, 5) || (tag >> 32) != 0 || (tag >> 3) == 0) return false;
    const uint32_t number = static_cast<uint32_t>(tag >> 3);
    wire_ = static_cast<Wire>(tag & 7);
    if (wire_ == Wire::kStartGroup) {
      if (depth == kMaxGroupDepth) return false;
      open[depth++] = number;
    } else if (wire_ == Wire::kEndGroup) {
      if (open[--depth] != number) return false;
    } else if (!Value()) {
      return false;
    }
  }
  number_ = group;
  wire_ = Wire::kStartGroup;
  return true;
}

}  // namespace tidegate
