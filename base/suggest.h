// "Did you mean …": the nearest of the valid names.
#ifndef TIDEGATE_BASE_SUGGEST_H_
#define TIDEGATE_BASE_SUGGEST_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace tidegate {

// The candidate nearest to `word` by edit distance with transpositions,
// ignoring case; empty if none is near enough to be meant.
std::string Nearest(absl::string_view word,
                    absl::Span<const std::string> candidates);

// ", did you mean \"x\"?", or nothing.
std::string DidYouMean(absl::string_view word,
                       absl::Span<const std::string> candidates);

}  // namespace tidegate

#endif  // TIDEGATE_BASE_SUGGEST_H_
