#include "clients/cpp/key_order.h"

#include <bit>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/ordered_bytes.h"

namespace tidegate::client {
namespace {

constexpr uint32_t kSecondsField = 1;
constexpr uint32_t kNanosField = 2;

WireType WireTypeOf(KeyColumn::Type type) {
  switch (type) {
    case KeyColumn::Type::kBool:
    case KeyColumn::Type::kInt:
      return WireType::kVarint;
    case KeyColumn::Type::kDouble:
      return WireType::kFixed64;
    case KeyColumn::Type::kText:
    case KeyColumn::Type::kTimestamp:
      break;
  }
  return WireType::kLengthDelimited;
}

// Of a google.protobuf.Timestamp.
bool GetMicros(absl::string_view message, int64_t* micros) {
  uint64_t seconds = 0;
  int64_t nanos = 0;
  while (!message.empty()) {
    WireField field;
    if (!GetWireField(&message, &field)) return false;
    if (field.type != WireType::kVarint) continue;
    if (field.number == kSecondsField) seconds = field.varint;
    if (field.number == kNanosField) nanos = static_cast<int32_t>(field.varint);
  }
  // Unsigned: what is no time at all may not overflow.
  *micros = static_cast<int64_t>(seconds * 1'000'000 +
                                 static_cast<uint64_t>(nanos / 1000));
  return true;
}

bool PutValue(KeyColumn::Type type, const WireField& field, std::string* out) {
  switch (type) {
    case KeyColumn::Type::kBool:
      PutOrderedBool(field.varint != 0, out);
      return true;
    case KeyColumn::Type::kInt:
      PutOrderedInt(static_cast<int64_t>(field.varint), out);
      return true;
    case KeyColumn::Type::kDouble:
      PutOrderedDouble(std::bit_cast<double>(field.varint), out);
      return true;
    case KeyColumn::Type::kText:
      PutOrderedText(field.bytes, out);
      return true;
    case KeyColumn::Type::kTimestamp: {
      int64_t micros = 0;
      if (!GetMicros(field.bytes, &micros)) return false;
      PutOrderedInt(micros, out);
      return true;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> KeyOrder::Of(absl::string_view message) const {
  const size_t size = message.size();
  const auto malformed = [size] {
    return absl::DataLossError(
        absl::StrCat("malformed row or key of ", size, " bytes"));
  };
  std::vector<std::optional<WireField>> values(columns_.size());
  while (!message.empty()) {
    WireField field;
    if (!GetWireField(&message, &field)) return malformed();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].field != field.number) continue;
      if (field.type != WireTypeOf(columns_[i].type)) return malformed();
      values[i] = field;  // the last one counts
    }
  }
  std::string out;
  for (size_t i = 0; i < columns_.size(); ++i) {
    out.push_back(values[i].has_value() ? kValueMarker : kNullMarker);
    if (values[i].has_value() &&
        !PutValue(columns_[i].type, *values[i], &out)) {
      return malformed();
    }
  }
  return out;
}

}  // namespace tidegate::client
