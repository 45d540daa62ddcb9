#include "views/store/checksum.h"

#include "base/coding.h"

namespace tidegate {
namespace {

constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ULL;

uint64_t Mix(uint64_t state, uint64_t word) {
  state = (state ^ word) * kOdd;
  return state ^ (state >> 29);
}

uint64_t LoadLittleEndian(const char* bytes, size_t size) {
  uint64_t word = 0;
  for (size_t i = 0; i < size; ++i) {
    word |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  }
  return word;
}

}  // namespace

uint64_t Checksum64(absl::string_view bytes) {
  uint64_t state = Mix(0, bytes.size());
  while (bytes.size() >= 8) {
    state = Mix(state, LoadLittleEndian(bytes.data(), 8));
    bytes.remove_prefix(8);
  }
  return Mix(state, LoadLittleEndian(bytes.data(), bytes.size()));
}

void AppendChecksum(std::string* record) {
  PutFixed64LittleEndian(record, Checksum64(*record));
}

bool StripChecksum(absl::string_view* record) {
  if (record->size() < kChecksumBytes) return false;
  absl::string_view tail = record->substr(record->size() - kChecksumBytes);
  record->remove_suffix(kChecksumBytes);
  uint64_t stored = 0;
  return GetFixed64LittleEndian(&tail, &stored) &&
         stored == Checksum64(*record);
}

}  // namespace tidegate
