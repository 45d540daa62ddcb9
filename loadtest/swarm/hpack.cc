#include "loadtest/swarm/hpack.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tidegate::swarm {
namespace {

// Places in the static table.
constexpr uint64_t kAuthority = 1;
constexpr char kMethodPost = static_cast<char>(0x83);  // 3, wholly indexed
constexpr uint64_t kPath = 4;
constexpr char kSchemeHttp = static_cast<char>(0x86);
constexpr uint64_t kFirstStatus = 8;
constexpr std::array<absl::string_view, 7> kStatuses = {
    "200", "204", "206", "304", "400", "404", "500"};
constexpr uint64_t kContentType = 31;
constexpr uint64_t kStaticEntries = 61;

void PutInt(std::string* out, uint8_t first, int bits, uint64_t value) {
  const uint64_t most = (uint64_t{1} << bits) - 1;
  if (value < most) {
    out->push_back(static_cast<char>(first | value));
    return;
  }
  out->push_back(static_cast<char>(first | most));
  for (value -= most; value >= 0x80; value >>= 7) {
    out->push_back(static_cast<char>(0x80 | (value & 0x7f)));
  }
  out->push_back(static_cast<char>(value));
}

void PutString(std::string* out, absl::string_view text) {
  PutInt(out, 0, 7, text.size());
  absl::StrAppend(out, text);
}

// A literal that is not to be indexed, its name from the static table.
void PutIndexedName(std::string* out, uint64_t name, absl::string_view value) {
  PutInt(out, 0, 4, name);
  PutString(out, value);
}

bool GetInt(absl::string_view* in, int bits, uint64_t* value) {
  if (in->empty()) return false;
  const uint64_t most = (uint64_t{1} << bits) - 1;
  *value = static_cast<uint8_t>(in->front()) & most;
  in->remove_prefix(1);
  if (*value < most) return true;
  for (int shift = 0; shift <= 28 && !in->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in->front());
    in->remove_prefix(1);
    *value += uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// `text` is empty if it is in Huffman code.
bool GetString(absl::string_view* in, absl::string_view* text) {
  if (in->empty()) return false;
  const bool huffman = (static_cast<uint8_t>(in->front()) & 0x80) != 0;
  uint64_t size = 0;
  if (!GetInt(in, 7, &size) || size > in->size()) return false;
  *text = huffman ? absl::string_view() : in->substr(0, size);
  in->remove_prefix(size);
  return true;
}

bool IsStatus(uint64_t index) {
  return index >= kFirstStatus && index < kFirstStatus + kStatuses.size();
}

// One field off the front of `in`.
bool GetField(absl::string_view* in, ResponseHeaders* out) {
  const auto first = static_cast<uint8_t>(in->front());
  uint64_t index = 0;
  if ((first & 0x80) != 0) {  // wholly indexed
    if (!GetInt(in, 7, &index) || index == 0 || index > kStaticEntries) {
      return false;
    }
    if (IsStatus(index)) {
      out->http_status = std::string(kStatuses[index - kFirstStatus]);
    }
    return true;
  }
  if ((first & 0xe0) == 0x20) return GetInt(in, 5, &index);  // table size
  if (!GetInt(in, (first & 0x40) != 0 ? 6 : 4, &index)) return false;
  if (index > kStaticEntries) return false;
  absl::string_view name;
  absl::string_view value;
  if (index == 0 && !GetString(in, &name)) return false;
  if (!GetString(in, &value)) return false;
  if (IsStatus(index) || name == ":status") {
    out->http_status = std::string(value);
  }
  if (name == "grpc-status") out->grpc_status = std::string(value);
  if (name == "grpc-message") out->grpc_message = std::string(value);
  return true;
}

}  // namespace

std::string EncodeCallHeaders(absl::string_view authority,
                              absl::string_view path) {
  std::string out;
  out.push_back(kMethodPost);
  out.push_back(kSchemeHttp);
  PutIndexedName(&out, kPath, path);
  PutIndexedName(&out, kAuthority, authority);
  PutIndexedName(&out, kContentType, "application/grpc");
  PutInt(&out, 0, 4, 0);
  PutString(&out, "te");
  PutString(&out, "trailers");
  return out;
}

absl::StatusOr<ResponseHeaders> DecodeResponseHeaders(absl::string_view block) {
  ResponseHeaders headers;
  while (!block.empty()) {
    if (!GetField(&block, &headers)) {
      return absl::DataLossError("header block that cannot be read");
    }
  }
  return headers;
}

}  // namespace tidegate::swarm
