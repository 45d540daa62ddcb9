#include "views/store/incarnation.h"

#include <utility>

#include "absl/status/status.h"
#include "base/coding.h"
#include "views/store/checksum.h"

namespace tidegate {
namespace {

constexpr uint8_t kVersion = 1;

absl::Status Malformed() {
  return absl::DataLossError("list of incarnations is malformed");
}

}  // namespace

bool TokenHonoured(const std::vector<Incarnation>& incarnations,
                   absl::string_view incarnation, Seq seq, Seq head) {
  if (seq > head) return false;
  for (size_t i = incarnations.size(); i-- > 0;) {
    if (incarnations[i].id == incarnation) return true;
    // A later start that began at or below `seq` gave that number out anew.
    if (incarnations[i].first_seq <= seq) return false;
  }
  return false;
}

std::string EncodeIncarnations(const std::vector<Incarnation>& incarnations) {
  std::string out(1, static_cast<char>(kVersion));
  PutVarint64(&out, incarnations.size());
  for (const Incarnation& incarnation : incarnations) {
    PutLengthPrefixed(&out, incarnation.id);
    PutVarint64(&out, incarnation.first_seq.value());
  }
  AppendChecksum(&out);
  return out;
}

absl::StatusOr<std::vector<Incarnation>> DecodeIncarnations(
    absl::string_view bytes) {
  uint64_t count = 0;
  if (!StripChecksum(&bytes) || bytes.empty() ||
      static_cast<uint8_t>(bytes[0]) != kVersion) {
    return Malformed();
  }
  bytes.remove_prefix(1);
  if (!GetVarint64(&bytes, &count) || count > kMaxIncarnations) {
    return Malformed();
  }
  std::vector<Incarnation> incarnations;
  for (uint64_t i = 0; i < count; ++i) {
    absl::string_view id;
    uint64_t first_seq = 0;
    if (!GetLengthPrefixed(&bytes, &id) || id.size() != kIncarnationBytes ||
        !GetVarint64(&bytes, &first_seq)) {
      return Malformed();
    }
    incarnations.push_back({std::string(id), Seq(first_seq)});
  }
  if (!bytes.empty()) return Malformed();
  return incarnations;
}

}  // namespace tidegate
