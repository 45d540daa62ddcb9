// Comparing memcomparable keys by a number, most of the time.
#ifndef TIDEGATE_VIEWS_FOLD_KEY_PREFIX_H_
#define TIDEGATE_VIEWS_FOLD_KEY_PREFIX_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace tidegate {

// How many bytes both begin with.
inline size_t SharedPrefix(absl::string_view a, absl::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  size_t shared = 0;
  while (shared < most && a[shared] == b[shared]) ++shared;
  return shared;
}

// The first eight bytes as a number, zeros for those that are not there: keys
// whose numbers differ are ordered as these are; of keys whose numbers are the
// same, it does not say.
inline uint64_t PrefixNumber(absl::string_view key) {
  uint64_t number = 0;
  for (size_t i = 0; i < sizeof(number); ++i) {
    number = number << 8 | (i < key.size() ? static_cast<uint8_t>(key[i]) : 0);
  }
  return number;
}

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_KEY_PREFIX_H_
