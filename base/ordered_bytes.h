// Values as bytes whose order is the values' order: the parts of memcomparable
// keys. Per value a marker, then
//   BOOLEAN  one byte
//   INT, BIGINT, TIMESTAMPTZ  big endian, the sign bit flipped
//   DOUBLE  big endian; all bits flipped if negative, else the sign bit
//   VARCHAR  each 00 as 00 FF, and 00 01 at the end
#ifndef TIDEGATE_BASE_ORDERED_BYTES_H_
#define TIDEGATE_BASE_ORDERED_BYTES_H_

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/string_view.h"
#include "base/coding.h"

namespace tidegate {

inline constexpr char kValueMarker = '\x01';
inline constexpr char kNullMarker = '\x02';  // NULLs last
inline constexpr char kTextEscape = '\0';
inline constexpr char kTextEscapedZero = '\xff';
inline constexpr char kTextEnd = '\x01';
inline constexpr uint64_t kOrderedSignBit = uint64_t{1} << 63;

// -0 as 0, and every NaN alike: equal values have equal bits.
inline uint64_t OrderedBits(double value) {
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  if (value == 0) value = 0;  // not -0
  const auto bits = std::bit_cast<uint64_t>(value);
  return (bits & kOrderedSignBit) != 0 ? ~bits : bits | kOrderedSignBit;
}

inline double FromOrderedBits(uint64_t bits) {
  return std::bit_cast<double>(
      (bits & kOrderedSignBit) != 0 ? bits & ~kOrderedSignBit : ~bits);
}

inline void PutOrderedBool(bool value, std::string* out) {
  out->push_back(value ? '\x01' : '\0');
}

inline void PutOrderedInt(int64_t value, std::string* out) {
  PutFixed64BigEndian(out, static_cast<uint64_t>(value) ^ kOrderedSignBit);
}

inline void PutOrderedDouble(double value, std::string* out) {
  PutFixed64BigEndian(out, OrderedBits(value));
}

inline void PutOrderedText(absl::string_view text, std::string* out) {
  for (;;) {
    const size_t zero = text.find('\0');
    out->append(text.data() == nullptr ? "" : text.data(),
                zero == absl::string_view::npos ? text.size() : zero);
    if (zero == absl::string_view::npos) break;
    out->push_back(kTextEscape);
    out->push_back(kTextEscapedZero);
    text.remove_prefix(zero + 1);
  }
  out->push_back(kTextEscape);
  out->push_back(kTextEnd);
}

}  // namespace tidegate

#endif  // TIDEGATE_BASE_ORDERED_BYTES_H_
