// tidegate.v1.ViewService and every view's own service over gRPC, with health
// and reflection.
#ifndef TIDEGATE_GATEWAY_GRPC_SERVER_H_
#define TIDEGATE_GATEWAY_GRPC_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "gateway/core/stats.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

inline constexpr size_t kMaxSubscribers = 20'000;
inline constexpr size_t kMaxKeysPerSubscription = 10'000;
inline constexpr size_t kMaxKeysPerGet = 10'000;
inline constexpr size_t kMaxStreamsPerConnection = 1'000;
inline constexpr size_t kMaxWaitingReads = 10'000;  // for min_position
inline constexpr int64_t kMaxReadWaitMs = 30'000;
inline constexpr uint32_t kDefaultPageRows = 1'000;
inline constexpr uint32_t kMaxPageRows = 10'000;
// Below the 4 MiB that gRPC clients accept by default.
inline constexpr size_t kMaxReplyBytes = 3u << 20;
// What a page of a scan with a condition looks at. Both above what a page
// without one may have.
inline constexpr size_t kMaxPageReadRows = 50'000;
inline constexpr size_t kMaxPageReadBytes = 8u << 20;
inline constexpr int64_t kMaxPageReadMs = 100;
inline constexpr size_t kMaxOpenScans = 64;
inline constexpr int64_t kMaxScanAgeMs = 60'000;
inline constexpr int64_t kConnectionGraceMs = 60'000;
// What a refused client is told to wait, give or take a half.
inline constexpr int64_t kRetryDelayMs = 1'000;

struct ServerOptions {
  std::string listen = "127.0.0.1:0";
  size_t push_threads = 1;
  // Subscribe streams and sessions, and of them those of one client address,
  // which many clients may share behind a proxy.
  size_t max_subscribers = kMaxSubscribers;
  size_t max_streams_per_peer = kMaxSubscribers;
  // A stream, a connection is handed on at this age, give or take a tenth; 0:
  // never. A connection's streams may go on for kConnectionGraceMs.
  int64_t max_stream_age_ms = 0;
  int64_t max_connection_age_ms = 0;
  size_t max_keys_per_subscription = kMaxKeysPerSubscription;
  size_t max_page_read_rows = kMaxPageReadRows;
  size_t max_page_read_bytes = kMaxPageReadBytes;
  size_t max_open_scans = kMaxOpenScans;
  int64_t max_scan_age_ms = kMaxScanAgeMs;
};

// Thread-safe.
class Server {
 public:
  // Listens; borrows the rest, which must outlive the server. Start it before
  // the pipelines: it listens to their commits. `stats` has the hub's views and
  // pipelines. Unavailable if it cannot listen, InvalidArgument if the names of
  // two views do not go together in Protobuf.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, const ViewHub* hub, GatewayStats* stats,
      const Clock* clock);
  ~Server();

  int port() const;
  // Closes the port and tells connections that the server goes away, so that
  // nobody comes back to it. Then, over the first half of `deadline_ms`, hands
  // every subscriber its token and when to come back (`retry_after_ms`, give or
  // take a half) and ends the streams; what has not ended at the deadline is
  // cut. Later calls do nothing.
  void Drain(int64_t retry_after_ms, int64_t deadline_ms);

 private:
  struct Impl;
  Server(std::unique_ptr<Impl> impl, const GatewayStats* stats);
  std::unique_ptr<Impl> impl_;
  const GatewayStats* const stats_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SERVER_H_
