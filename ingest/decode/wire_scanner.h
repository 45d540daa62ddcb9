// Walks the fields of one Protobuf message.
#ifndef TIDEGATE_INGEST_DECODE_WIRE_SCANNER_H_
#define TIDEGATE_INGEST_DECODE_WIRE_SCANNER_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace tidegate {

enum class Wire : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kStartGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};
// How deep groups may nest; as other parsers have it.
inline constexpr int kMaxGroupDepth = 100;

// Differs from base/coding.h's GetWireField in knowing groups, and in accepting
// what Protobuf's own parser accepts. Inline: it is the decoder's inner loop.
// Thread-compatible.
class WireScanner {
 public:
  // Borrows `message`.
  explicit WireScanner(absl::string_view message)
      : at_(message.data()), end_(message.data() + message.size()) {}

  // Moves to the next field; false at the end and on malformed bytes. A group
  // is passed over whole.
  bool Next() {
    if (at_ == end_) return false;
    uint64_t tag = 0;
    if (!Varint(&tag, 5) || (tag >> 32) != 0 || (tag >> 3) == 0) return Fail();
    number_ = static_cast<uint32_t>(tag >> 3);
    wire_ = static_cast<Wire>(tag & 7);
    return Value() || Fail();
  }
  // After Next() has returned false.
  bool malformed() const { return malformed_; }

  uint32_t number() const { return number_; }
  Wire wire() const { return wire_; }
  // Of kVarint, kFixed32, kFixed64.
  uint64_t bits() const { return bits_; }
  // Of kBytes.
  absl::string_view bytes() const { return bytes_; }

 private:
  bool Fail() {
    malformed_ = true;
    return false;
  }

  // Bits beyond the 64th are dropped.
  bool Varint(uint64_t* value, int max_bytes) {
    uint64_t result = 0;
    for (int i = 0; i < max_bytes && at_ != end_; ++i) {
      const uint64_t byte = static_cast<uint8_t>(*at_++);
      result |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        *value = result;
        return true;
      }
    }
    return false;
  }

  bool Fixed(int size) {
    if (end_ - at_ < size) return false;
    bits_ = 0;
    for (int i = 0; i < size; ++i) {
      bits_ |= static_cast<uint64_t>(static_cast<uint8_t>(at_[i])) << (8 * i);
    }
    at_ += size;
    return true;
  }

  bool Value() {
    switch (wire_) {
      case Wire::kVarint:
        return Varint(&bits_, 10);
      case Wire::kFixed64:
        return Fixed(8);
      case Wire::kFixed32:
        return Fixed(4);
      case Wire::kBytes: {
        uint64_t size = 0;
        if (!Varint(&size, 10) || size > static_cast<uint64_t>(end_ - at_)) {
          return false;
        }
        bytes_ = absl::string_view(at_, size);
        at_ += size;
        return true;
      }
      case Wire::kStartGroup:
        return SkipGroup();
      case Wire::kEndGroup:
        return false;
    }
    return false;
  }

  bool SkipGroup();

  const char* at_;
  const char* const end_;
  uint32_t number_ = 0;
  Wire wire_ = Wire::kVarint;
  bool malformed_ = false;
  uint64_t bits_ = 0;
  absl::string_view bytes_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_WIRE_SCANNER_H_
