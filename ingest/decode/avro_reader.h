// Walks the bytes of one Avro value.
#ifndef TIDEGATE_INGEST_DECODE_AVRO_READER_H_
#define TIDEGATE_INGEST_DECODE_AVRO_READER_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace tidegate {

// Inline: it is the decoder's inner loop. Thread-compatible. After a false, how
// far it came is not said.
class AvroReader {
 public:
  // Borrows `value`.
  explicit AvroReader(absl::string_view value)
      : at_(value.data()), end_(value.data() + value.size()) {}

  size_t left() const { return static_cast<size_t>(end_ - at_); }

  // A whole number: zigzag, in at most ten bytes. False too if it has bits
  // beyond the 64th.
  bool Long(int64_t* value) {
    uint64_t bits = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return false;
      const uint64_t byte = static_cast<uint8_t>(*at_++);
      if (shift == 63 && byte > 1) return false;
      bits |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        *value = static_cast<int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
        return true;
      }
    }
    return false;
  }

  bool Byte(uint8_t* value) {
    if (at_ == end_) return false;
    *value = static_cast<uint8_t>(*at_++);
    return true;
  }

  // The bits of a float or a double.
  template <typename Bits>
  bool Fixed(Bits* bits) {
    if (left() < sizeof(Bits)) return false;
    *bits = 0;
    for (size_t i = 0; i < sizeof(Bits); ++i) {
      *bits |= static_cast<Bits>(static_cast<uint8_t>(at_[i])) << (8 * i);
    }
    at_ += sizeof(Bits);
    return true;
  }

  // False, and where it was, if so many bytes are not left.
  bool Take(uint64_t bytes, absl::string_view* taken) {
    if (bytes > left()) return false;
    *taken = absl::string_view(at_, static_cast<size_t>(bytes));
    at_ += bytes;
    return true;
  }

  bool Skip(uint64_t bytes) {
    absl::string_view skipped;
    return Take(bytes, &skipped);
  }

  bool SkipLong() {
    int64_t value = 0;
    return Long(&value);
  }

  // Of text and of bytes.
  bool SkipText() {
    int64_t size = 0;
    return Long(&size) && size >= 0 && Skip(static_cast<uint64_t>(size));
  }

 private:
  const char* at_;
  const char* const end_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_AVRO_READER_H_
