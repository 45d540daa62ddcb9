// The seam to HTTP: a GET, and how a schema registry is reached.
#ifndef TIDEGATE_INGEST_REGISTRY_HTTP_CLIENT_H_
#define TIDEGATE_INGEST_REGISTRY_HTTP_CLIENT_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidegate {

struct HttpResponse {
  int status = 0;
  std::string body;
};

// One thread calls Get, any may call Cancel.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Follows no redirects. Unavailable if no answer came within
  // kHttpGetTimeoutMs, ResourceExhausted if it is longer than
  // kMaxHttpBodyBytes. No message has a credential.
  virtual absl::StatusOr<HttpResponse> Get(const std::string& url) = 0;
  // Ends a Get under way, and all later ones at once.
  virtual void Cancel() = 0;
};

inline constexpr int kHttpConnectTimeoutMs = 3'000;
inline constexpr int kHttpGetTimeoutMs = 10'000;
// A schema's JSON text may be escaped throughout.
inline constexpr size_t kMaxHttpBodyBytes = 16u << 20;

// Who we are to a server, and whom we trust; empty fields are left out.
struct HttpAccess {
  std::string user_info;  // USER:PASSWORD
  std::string ca_file;    // PEM; empty: the system's
  std::string cert_file;  // PEM, of the client
  std::string key_file;   // PEM
  std::string key_password;
};

// By libcurl. `http://` and `https://` only.
std::unique_ptr<HttpClient> MakeCurlHttpClient(HttpAccess access);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_REGISTRY_HTTP_CLIENT_H_
