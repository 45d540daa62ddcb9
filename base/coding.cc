#include "base/coding.h"

namespace tidegate {
namespace {

constexpr int kMaxVarintBytes = 10;
constexpr uint64_t kMaxFieldNumber = (1u << 29) - 1;

template <typename T>
void PutLittleEndian(std::string* out, T value) {
  char bytes[sizeof(T)];
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<char>(value >> (8 * i));
  }
  out->append(bytes, sizeof(T));
}

template <typename T>
bool GetLittleEndian(absl::string_view* in, T* value) {
  if (in->size() < sizeof(T)) return false;
  T result = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    result |= static_cast<T>(static_cast<unsigned char>((*in)[i])) << (8 * i);
  }
  in->remove_prefix(sizeof(T));
  *value = result;
  return true;
}

}  // namespace

void PutVarint64(std::string* out, uint64_t value) {
  char bytes[kMaxVarintBytes];
  int n = 0;
  while (value >= 0x80) {
    bytes[n++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  bytes[n++] = static_cast<char>(value);
  out->append(bytes, static_cast<size_t>(n));
}

void PutFixed64BigEndian(std::string* out, uint64_t value) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(value >> (8 * (7 - i)));
  }
  out->append(bytes, sizeof(bytes));
}

void PutFixed64LittleEndian(std::string* out, uint64_t value) {
  PutLittleEndian(out, value);
}

void PutFixed32LittleEndian(std::string* out, uint32_t value) {
  PutLittleEndian(out, value);
}

void PutLengthPrefixed(std::string* out, absl::string_view bytes) {
  PutVarint64(out, bytes.size());
  out->append(bytes.data(), bytes.size());
}

bool GetVarint64(absl::string_view* in, uint64_t* value) {
  uint64_t result = 0;
  for (int i = 0; i < kMaxVarintBytes; ++i) {
    if (static_cast<size_t>(i) >= in->size()) return false;
    const uint64_t byte = static_cast<unsigned char>((*in)[i]);
    // The tenth byte holds bit 63 alone.
    if (i == kMaxVarintBytes - 1 && byte > 1) return false;
    result |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      in->remove_prefix(static_cast<size_t>(i) + 1);
      *value = result;
      return true;
    }
  }
  return false;
}

bool GetFixed64BigEndian(absl::string_view* in, uint64_t* value) {
  if (in->size() < 8) return false;
  uint64_t result = 0;
  for (int i = 0; i < 8; ++i) {
    result = (result << 8) | static_cast<unsigned char>((*in)[i]);
  }
  in->remove_prefix(8);
  *value = result;
  return true;
}

bool GetFixed64LittleEndian(absl::string_view* in, uint64_t* value) {
  return GetLittleEndian(in, value);
}

bool GetFixed32LittleEndian(absl::string_view* in, uint32_t* value) {
  return GetLittleEndian(in, value);
}

bool GetLengthPrefixed(absl::string_view* in, absl::string_view* bytes) {
  uint64_t size;
  if (!GetVarint64(in, &size) || size > in->size()) return false;
  *bytes = in->substr(0, size);
  in->remove_prefix(size);
  return true;
}

uint64_t Fnv1a64(absl::string_view bytes, uint64_t seed) {
  uint64_t hash = seed;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

void PutTag(std::string* out, uint32_t field, WireType type) {
  PutVarint64(
      out, (static_cast<uint64_t>(field) << 3) | static_cast<uint64_t>(type));
}

bool GetWireField(absl::string_view* in, WireField* field) {
  uint64_t tag;
  if (!GetVarint64(in, &tag)) return false;
  const uint64_t number = tag >> 3;
  if (number == 0 || number > kMaxFieldNumber) return false;
  field->number = static_cast<uint32_t>(number);
  field->varint = 0;
  field->bytes = absl::string_view();
  switch (tag & 7) {
    case static_cast<uint64_t>(WireType::kVarint):
      field->type = WireType::kVarint;
      return GetVarint64(in, &field->varint);
    case static_cast<uint64_t>(WireType::kFixed64):
      field->type = WireType::kFixed64;
      return GetFixed64LittleEndian(in, &field->varint);
    case static_cast<uint64_t>(WireType::kLengthDelimited):
      field->type = WireType::kLengthDelimited;
      return GetLengthPrefixed(in, &field->bytes);
    case static_cast<uint64_t>(WireType::kFixed32): {
      field->type = WireType::kFixed32;
      uint32_t value;
      if (!GetFixed32LittleEndian(in, &value)) return false;
      field->varint = value;
      return true;
    }
    default:
      return false;
  }
}

}  // namespace tidegate
