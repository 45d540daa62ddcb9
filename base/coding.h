// Bytes that do not change from build to build: varints, fixed integers,
// length-prefixed strings, and the Protobuf wire format built from them.
#ifndef TIDEGATE_BASE_CODING_H_
#define TIDEGATE_BASE_CODING_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace tidegate {

void PutVarint64(std::string* out, uint64_t value);
void PutFixed64BigEndian(std::string* out, uint64_t value);
void PutFixed64LittleEndian(std::string* out, uint64_t value);
void PutFixed32LittleEndian(std::string* out, uint32_t value);
void PutLengthPrefixed(std::string* out, absl::string_view bytes);

inline uint64_t ZigZag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}
inline int64_t UnZigZag(uint64_t v) {
  return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
}

// Each takes its value off the front of `in`; false, with `in` in an
// unspecified state, if the bytes are short or malformed.
bool GetVarint64(absl::string_view* in, uint64_t* value);
bool GetFixed64BigEndian(absl::string_view* in, uint64_t* value);
bool GetFixed64LittleEndian(absl::string_view* in, uint64_t* value);
bool GetFixed32LittleEndian(absl::string_view* in, uint32_t* value);
// `bytes` borrows from `in`.
bool GetLengthPrefixed(absl::string_view* in, absl::string_view* bytes);

// 64-bit FNV-1a; stable across versions (it is stored).
uint64_t Fnv1a64(absl::string_view bytes,
                 uint64_t seed = 0xcbf29ce484222325ULL);

// Protobuf wire format: https://protobuf.dev/programming-guides/encoding/
enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthDelimited = 2,
  kFixed32 = 5,
};
void PutTag(std::string* out, uint32_t field, WireType type);
// One field of a message: `varint` for kVarint, kFixed64 and kFixed32, `bytes`
// (borrowed) for kLengthDelimited.
struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t varint = 0;
  absl::string_view bytes;
};
// Takes the next field off `in`; groups are malformed here.
bool GetWireField(absl::string_view* in, WireField* field);

}  // namespace tidegate

#endif  // TIDEGATE_BASE_CODING_H_
