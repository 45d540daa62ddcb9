// The memcomparable half of row_codec.h. Per value: a marker, then
//   BOOLEAN  one byte
//   INT, BIGINT, TIMESTAMPTZ  big endian, the sign bit flipped
//   DOUBLE  big endian; all bits flipped if negative, else the sign bit
//   VARCHAR  each 00 as 00 FF, and 00 01 at the end
#include <bit>
#include <cmath>
#include <limits>

#include "base/coding.h"
#include "views/fold/row_codec.h"

namespace tidegate {
namespace {

constexpr char kValueMarker = '\x01';
constexpr char kNullMarker = '\x02';  // NULLs last
constexpr char kEscape = '\0';
constexpr char kEscapedZero = '\xff';
constexpr char kTextEnd = '\x01';
constexpr uint64_t kSignBit = uint64_t{1} << 63;

uint64_t OrderedBits(double value) {
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  if (value == 0) value = 0;  // not -0
  const auto bits = std::bit_cast<uint64_t>(value);
  return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}

double FromOrderedBits(uint64_t bits) {
  return std::bit_cast<double>((bits & kSignBit) != 0 ? bits & ~kSignBit
                                                      : ~bits);
}

void PutText(absl::string_view text, std::string* out) {
  for (;;) {
    const size_t zero = text.find('\0');
    out->append(text.data() == nullptr ? "" : text.data(),
                zero == absl::string_view::npos ? text.size() : zero);
    if (zero == absl::string_view::npos) break;
    out->push_back(kEscape);
    out->push_back(kEscapedZero);
    text.remove_prefix(zero + 1);
  }
  out->push_back(kEscape);
  out->push_back(kTextEnd);
}

bool GetText(absl::string_view* in, TextArena* arena, Datum* value) {
  // Unescaped text is no longer than what is read.
  std::string text;
  for (;;) {
    const size_t zero = in->find('\0');
    if (zero == absl::string_view::npos || zero + 1 >= in->size()) return false;
    const char next = (*in)[zero + 1];
    text.append(in->data(), zero);
    in->remove_prefix(zero + 2);
    if (next == kTextEnd) break;
    if (next != kEscapedZero) return false;
    text.push_back('\0');
  }
  if (text.size() > kMaxTextBytes) return false;
  *value = Datum::Text(arena->Copy(text));
  return true;
}

bool GetValue(Type type, absl::string_view* in, TextArena* arena,
              Datum* value) {
  uint64_t bits;
  switch (type) {
    case Type::kBoolean:
      if (in->empty() || static_cast<unsigned char>((*in)[0]) > 1) return false;
      *value = Datum::Bool((*in)[0] != 0);
      in->remove_prefix(1);
      return true;
    case Type::kInt:
    case Type::kBigint:
    case Type::kTimestamptz:
      if (!GetFixed64BigEndian(in, &bits)) return false;
      *value = Datum::Int(static_cast<int64_t>(bits ^ kSignBit));
      return true;
    case Type::kDouble:
      if (!GetFixed64BigEndian(in, &bits)) return false;
      *value = Datum::Double(FromOrderedBits(bits));
      return true;
    case Type::kVarchar:
      return GetText(in, arena, value);
  }
  return false;
}

void PutValue(Type type, const Datum& value, std::string* out) {
  switch (type) {
    case Type::kBoolean:
      out->push_back(value.b ? '\x01' : '\0');
      break;
    case Type::kInt:
    case Type::kBigint:
    case Type::kTimestamptz:
      PutFixed64BigEndian(out, static_cast<uint64_t>(value.i) ^ kSignBit);
      break;
    case Type::kDouble:
      PutFixed64BigEndian(out, OrderedBits(value.d));
      break;
    case Type::kVarchar:
      PutText(value.text(), out);
      break;
  }
}

}  // namespace

void EncodeKey(absl::Span<const Type> types, Row key, std::string* out) {
  for (size_t i = 0; i < types.size(); ++i) {
    out->push_back(key[i].is_null ? kNullMarker : kValueMarker);
    if (!key[i].is_null) PutValue(types[i], key[i], out);
  }
}

absl::Status DecodeKey(absl::Span<const Type> types, absl::string_view bytes,
                       TextArena* arena, MutableRow key) {
  for (size_t i = 0; i < types.size(); ++i) {
    const char marker = bytes.empty() ? '\0' : bytes[0];
    if (marker != kNullMarker && marker != kValueMarker) {
      return absl::DataLossError("malformed key");
    }
    bytes.remove_prefix(1);
    key[i] = Datum::Null();
    if (marker == kValueMarker && !GetValue(types[i], &bytes, arena, &key[i])) {
      return absl::DataLossError("malformed key");
    }
  }
  if (!bytes.empty()) return absl::DataLossError("malformed key: bytes left");
  return absl::OkStatus();
}

}  // namespace tidegate
