#include "loadtest/swarm/message_reader.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate::swarm {
namespace {

constexpr size_t kPrefix = 5;  // compressed or not, then the size

}  // namespace

absl::Status MessageReader::Take(
    absl::string_view bytes,
    absl::FunctionRef<void(absl::string_view message)> sink) {
  std::string joined;  // what `bytes` borrows from, if it is not the caller's
  if (!partial_.empty()) {
    absl::StrAppend(&partial_, bytes);
    if (partial_.size() < wanted_) return absl::OkStatus();
    joined = std::exchange(partial_, std::string());
    bytes = joined;
  }
  wanted_ = 0;
  while (bytes.size() >= kPrefix) {
    size_t size = 0;
    for (size_t i = 1; i < kPrefix; ++i) {
      size = size << 8 | static_cast<uint8_t>(bytes[i]);
    }
    if (bytes[0] != 0) return absl::DataLossError("message is compressed");
    if (size > kMaxMessageBytes) {
      return absl::DataLossError(absl::StrCat("message of ", size, " bytes"));
    }
    if (bytes.size() < kPrefix + size) {
      wanted_ = kPrefix + size;
      partial_.reserve(wanted_);
      break;
    }
    sink(bytes.substr(kPrefix, size));
    bytes.remove_prefix(kPrefix + size);
  }
  absl::StrAppend(&partial_, bytes);
  return absl::OkStatus();
}

}  // namespace tidegate::swarm
