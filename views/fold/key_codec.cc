// The memcomparable half of row_codec.h.
#include "base/coding.h"
#include "base/ordered_bytes.h"
#include "views/fold/row_codec.h"

namespace tidegate {
namespace {

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
    if (next != kTextEscapedZero) return false;
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
      *value = Datum::Int(static_cast<int64_t>(bits ^ kOrderedSignBit));
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
      PutOrderedBool(value.b, out);
      break;
    case Type::kInt:
    case Type::kBigint:
    case Type::kTimestamptz:
      PutOrderedInt(value.i, out);
      break;
    case Type::kDouble:
      PutOrderedDouble(value.d, out);
      break;
    case Type::kVarchar:
      PutOrderedText(value.text(), out);
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
