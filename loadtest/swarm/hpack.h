// As much of HPACK (RFC 7541) as a gRPC client without a dynamic table needs.
// Pure.
#ifndef TIDEGATE_LOADTEST_SWARM_HPACK_H_
#define TIDEGATE_LOADTEST_SWARM_HPACK_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate::swarm {

// The request headers of a gRPC call.
std::string EncodeCallHeaders(absl::string_view authority,
                              absl::string_view path);

// What is of interest in a response's headers or trailers.
struct ResponseHeaders {
  std::string http_status;  // empty: absent, as in trailers
  std::optional<std::string> grpc_status;
  std::string grpc_message;
};

// Fields in Huffman code are skipped (gRPC's servers write none of interest).
// An error if the block is malformed or uses a dynamic table.
absl::StatusOr<ResponseHeaders> DecodeResponseHeaders(absl::string_view block);

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_HPACK_H_
