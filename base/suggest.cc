#include "base/suggest.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

// Longer words are not compared: the distance costs the product of the lengths.
constexpr size_t kMaxWordBytes = 128;

// Optimal string alignment: insert, delete, replace, or swap two neighbours.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> before_last(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before_last[j - 2] + 1);
      }
    }
    before_last.swap(last);
    last.swap(current);
  }
  return last[b.size()];
}

}  // namespace

std::string Nearest(absl::string_view word,
                    absl::Span<const std::string> candidates) {
  if (word.empty() || word.size() > kMaxWordBytes) return "";
  const std::string lower = absl::AsciiStrToLower(word);
  const std::string* best = nullptr;
  size_t best_distance = 0;
  for (const std::string& candidate : candidates) {
    if (candidate.empty() || candidate.size() > kMaxWordBytes) continue;
    const size_t distance =
        EditDistance(lower, absl::AsciiStrToLower(candidate));
    // One mistake in three letters is still a slip of the pen; a word of which
    // nothing is left is not.
    const size_t longer = std::max(word.size(), candidate.size());
    const size_t shorter = std::min(word.size(), candidate.size());
    if (distance > (longer + 2) / 3 || distance >= shorter) {
      continue;
    }
    if (best == nullptr || distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? "" : *best;
}

std::string DidYouMean(absl::string_view word,
                       absl::Span<const std::string> candidates) {
  const std::string nearest = Nearest(word, candidates);
  if (nearest.empty()) return "";
  return absl::StrCat(", did you mean \"", nearest, "\"?");
}

}  // namespace tidegate
