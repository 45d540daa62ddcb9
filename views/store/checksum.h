// The checksum at the end of the store's records.
#ifndef TIDEGATE_VIEWS_STORE_CHECKSUM_H_
#define TIDEGATE_VIEWS_STORE_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace tidegate {

inline constexpr size_t kChecksumBytes = 8;

// Eight bytes at a time; every step is one-to-one in both the state and the
// word, so a change within one aligned word is always seen. Stored: stable
// across versions.
uint64_t Checksum64(absl::string_view bytes);

// Appends the checksum of all of `record`.
void AppendChecksum(std::string* record);
// Takes the checksum off the end; false if it is missing or wrong.
bool StripChecksum(absl::string_view* record);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_CHECKSUM_H_
