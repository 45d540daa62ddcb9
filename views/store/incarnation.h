// The starts of a pipeline, and which resume tokens they make good.
#ifndef TIDEGATE_VIEWS_STORE_INCARNATION_H_
#define TIDEGATE_VIEWS_STORE_INCARNATION_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace tidegate {

// A start of the pipeline: commits from `first_seq` on are its own, up to the
// next incarnation's first_seq.
struct Incarnation {
  std::string id;  // kIncarnationBytes random bytes
  Seq first_seq;
  friend bool operator==(const Incarnation&, const Incarnation&) = default;
};
inline constexpr size_t kIncarnationBytes = 16;
inline constexpr size_t kMaxIncarnations = 1000;  // older ones are forgotten

// Whether a position that `incarnation` gave out is a position of the present
// history: the incarnation is in the list (oldest first), no later one began at
// or below `seq`, and `seq` is not beyond `head`.
bool TokenHonoured(const std::vector<Incarnation>& incarnations,
                   absl::string_view incarnation, Seq seq, Seq head);

// With a version and a checksum; DataLoss if malformed or newer.
std::string EncodeIncarnations(const std::vector<Incarnation>& incarnations);
absl::StatusOr<std::vector<Incarnation>> DecodeIncarnations(
    absl::string_view bytes);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_INCARNATION_H_
