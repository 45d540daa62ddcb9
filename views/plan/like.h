// The LIKE operator.
#ifndef TIDEGATE_VIEWS_PLAN_LIKE_H_
#define TIDEGATE_VIEWS_PLAN_LIKE_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace tidegate {

// Whether a pattern is well formed: `escape` does not stand at its end.
bool IsLikePattern(absl::string_view pattern, absl::string_view escape);

// Whether all of `text` matches: '%' is any number of code points, '_' one, and
// what follows `escape` (one code point, or empty for none) is itself. All are
// UTF-8, and IsLikePattern holds.
bool Like(absl::string_view text, absl::string_view pattern,
          absl::string_view escape);
// The same, but gives up, with `steps` at 0 and false, when it would compare
// more than `*steps` elements of the pattern; else takes off those it did.
bool Like(absl::string_view text, absl::string_view pattern,
          absl::string_view escape, uint64_t* steps);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PLAN_LIKE_H_
