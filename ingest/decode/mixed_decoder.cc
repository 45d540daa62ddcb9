#include "ingest/decode/mixed_decoder.h"

#include <utility>

#include "absl/strings/match.h"

namespace tidegate {
namespace {

class MixedDecoder : public Decoder {
 public:
  explicit MixedDecoder(LayoutDecoders decoders)
      : decoders_(std::move(decoders)) {}

  absl::Status Decode(absl::string_view value, MutableRow row) override {
    switch (LayoutOf(value, decoders_)) {
      case Layout::kFramed:
        return decoders_.framed->Decode(value, row);
      case Layout::kJson:
        return decoders_.json->Decode(value, row);
      case Layout::kBinary:
        return decoders_.binary->Decode(value, row);
    }
    return absl::InternalError("unknown layout");
  }

 private:
  const LayoutDecoders decoders_;
};

}  // namespace

Layout LayoutOf(absl::string_view value, const LayoutDecoders& decoders) {
  const bool only_framed =
      decoders.json == nullptr && decoders.binary == nullptr;
  if (decoders.framed != nullptr &&
      (only_framed || absl::StartsWith(value, absl::string_view("\0", 1)))) {
    return Layout::kFramed;
  }
  if (decoders.binary == nullptr) return Layout::kJson;
  return decoders.json != nullptr && absl::StartsWith(value, "{")
             ? Layout::kJson
             : Layout::kBinary;
}

std::unique_ptr<Decoder> MakeMixedDecoder(LayoutDecoders decoders) {
  const int layouts = (decoders.framed != nullptr ? 1 : 0) +
                      (decoders.json != nullptr ? 1 : 0) +
                      (decoders.binary != nullptr ? 1 : 0);
  if (layouts > 1) return std::make_unique<MixedDecoder>(std::move(decoders));
  if (decoders.framed != nullptr) return std::move(decoders.framed);
  return decoders.json != nullptr ? std::move(decoders.json)
                                  : std::move(decoders.binary);
}

}  // namespace tidegate
