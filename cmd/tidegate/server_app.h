// The whole server: pipelines, gateway and HTTP wired together, as `serve` and
// `demo` run it.
#ifndef TIDEGATE_CMD_TIDEGATE_SERVER_APP_H_
#define TIDEGATE_CMD_TIDEGATE_SERVER_APP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cmd/tidegate/registry_settings.h"
#include "gateway/grpc/server.h"
#include "ingest/loop/fold_loop.h"
#include "views/plan/plan.h"
#include "views/store/materialized_store.h"

namespace tidegate {

struct ServerAppOptions {
  PlanSet plans;
  std::string base_dir;  // of relative .proto paths
  std::string data_dir;
  std::map<std::string, std::string> kafka;  // librdkafka's properties
  std::vector<RegistrySettings> registries;
  std::string listen = "127.0.0.1:0";  // gRPC
  ServerOptions server;                // but for its `listen`
  std::string http = "127.0.0.1:0";
  MaterializedStoreOptions store;
  FoldLoopOptions loop;
  std::vector<std::string> rebuild;  // views whose pipelines are built anew
  int64_t drain_time_ms = 5'000;
};

struct ServerAppCounts {
  int64_t records = 0;
  int64_t commits = 0;
  int64_t bad_records = 0;
  int64_t subscribers = 0;
};

// Made and ended on one thread; the rest is thread-safe.
class ServerApp {
 public:
  // Opens every pipeline, binds both ports and starts. FailedPrecondition if
  // the data belong to other definitions, Unavailable if a port cannot be
  // bound, NotFound (with a suggestion) if `rebuild` names no view.
  static absl::StatusOr<std::unique_ptr<ServerApp>> Start(
      ServerAppOptions options);
  virtual ~ServerApp() = default;

  virtual std::string grpc_address() const = 0;  // HOST:PORT
  virtual std::string http_address() const = 0;
  // Every pipeline folds and serves.
  virtual bool AllUp() const = 0;
  // Every pipeline has stopped by itself, and none was ever up.
  virtual bool AllStoppedAtStart() const = 0;
  virtual ServerAppCounts counts() const = 0;
  // Drains subscribers, stops folding, writes last checkpoints. Later calls do
  // nothing.
  virtual void Stop() = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_SERVER_APP_H_
