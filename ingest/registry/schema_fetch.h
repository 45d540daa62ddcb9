// What a schema registry says, as REST: a schema with all that it refers to.
#ifndef TIDEGATE_INGEST_REGISTRY_SCHEMA_FETCH_H_
#define TIDEGATE_INGEST_REGISTRY_SCHEMA_FETCH_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "ingest/decode/writer_schema.h"
#include "ingest/registry/http_client.h"

namespace tidegate {

// How one request ended.
enum class RegistryOutcome : uint8_t {
  kOk,
  kNotFound,     // the registry answers that it has no such schema
  kDenied,       // 401, 403
  kError,        // any other answer, or one that cannot be read
  kUnreachable,  // no answer
};
inline constexpr int kRegistryOutcomes = 5;
// "ok", "not_found", "denied", "error", "unreachable".
absl::string_view RegistryOutcomeName(RegistryOutcome outcome);

// GET /schemas/ids/{id}, then each reference in turn. `url` is the registry's,
// without a slash at its end; `told` hears the outcome of each request.
//   NotFound: the registry has no such schema, or not one it refers to (yet).
//   FailedPrecondition: it is there, and can never be used: its type, its size.
//   Any other status: trouble that may pass.
absl::StatusOr<WriterSchema> FetchSchema(
    HttpClient* http, const std::string& url, int32_t id,
    absl::FunctionRef<void(RegistryOutcome)> told);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_REGISTRY_SCHEMA_FETCH_H_
