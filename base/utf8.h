// UTF-8 as Unicode defines it: no surrogates, no overlong forms, at most
// U+10FFFF.
#ifndef TIDEGATE_BASE_UTF8_H_
#define TIDEGATE_BASE_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace tidegate {

// Bytes of the code point that `text` begins with (1 to 4); 0 if it begins with
// none, or is empty.
size_t Utf8SequenceLength(absl::string_view text);

bool IsValidUtf8(absl::string_view text);

}  // namespace tidegate

#endif  // TIDEGATE_BASE_UTF8_H_
