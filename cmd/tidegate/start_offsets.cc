#include "cmd/tidegate/start_offsets.h"

#include "absl/strings/str_cat.h"
#include "base/coding.h"

namespace tidegate {

std::string EncodeStartOffsets(const StartOffsets& offsets) {
  std::string bytes;
  for (const auto& [place, offset] : offsets) {
    PutLengthPrefixed(&bytes, place.first);
    PutVarint64(&bytes, ZigZag(place.second.value()));
    PutVarint64(&bytes, ZigZag(offset.value()));
  }
  return bytes;
}

absl::StatusOr<StartOffsets> DecodeStartOffsets(absl::string_view bytes) {
  StartOffsets offsets;
  while (!bytes.empty()) {
    absl::string_view topic;
    uint64_t partition = 0;
    uint64_t offset = 0;
    if (!GetLengthPrefixed(&bytes, &topic) ||
        !GetVarint64(&bytes, &partition) || !GetVarint64(&bytes, &offset)) {
      return absl::DataLossError("malformed start offsets");
    }
    offsets[{std::string(topic),
             PartitionId(static_cast<int32_t>(UnZigZag(partition)))}] =
        Offset(UnZigZag(offset));
  }
  return offsets;
}

absl::Status CheckReachesBack(const StartOffsets& before,
                              const StartOffsets& now) {
  for (const auto& [place, offset] : now) {
    const auto it = before.find(place);
    if (it == before.end() || offset <= it->second) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "the topic no longer reaches back as far as the live view does, so a "
        "rebuilt one would lack what it knows: topic=",
        place.first, " partition=", place.second.value(), " log start=",
        offset.value(), " the view began at=", it->second.value(),
        "; --accept-truncated-history rebuilds it all the same"));
  }
  return absl::OkStatus();
}

}  // namespace tidegate
