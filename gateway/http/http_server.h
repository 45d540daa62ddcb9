// The operators' port: /metrics, /healthz, /readyz and an index.
#ifndef TIDEGATE_GATEWAY_HTTP_HTTP_SERVER_H_
#define TIDEGATE_GATEWAY_HTTP_HTTP_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/http/metrics.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

inline constexpr int kHttpThreads = 4;
inline constexpr int kHttpTimeoutMs = 10'000;

// Thread-safe. Plain HTTP/1.1.
class HttpServer {
 public:
  // `listen` is HOST:PORT; port 0 takes a free one. Borrows the rest.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const std::string& listen, const ViewHub* hub, const Metrics* metrics);
  ~HttpServer();

  int port() const;
  // From now on /readyz says no: the server drains.
  void SetDraining();

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_HTTP_HTTP_SERVER_H_
