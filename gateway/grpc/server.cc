#include "gateway/grpc/server.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "gateway/grpc/broadcaster.h"
#include "gateway/grpc/service.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"

namespace tidegate {
namespace {

constexpr char kServiceName[] = "tidegate.v1.ViewService";
constexpr int kMaxRequestBytes = 4 << 20;
constexpr int kKeepaliveTimeMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kMinClientPingMs = 10'000;
// How long calls other than streams may take once the server goes.
constexpr auto kShutdownGrace = std::chrono::milliseconds(500);

void Configure(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(kMaxRequestBytes);
  // Two servers on one port would each get half of the clients.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              kKeepaliveTimeoutMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinClientPingMs);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                              static_cast<int>(kMaxStreamsPerConnection));
  // Reflection alone is served by synchronous threads.
  builder->SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

}  // namespace

struct Server::Impl {
  // Members die in reverse: the gRPC server first, then who serves it.
  Mutex health_mutex;
  grpc::HealthCheckServiceInterface* health ABSL_GUARDED_BY(health_mutex) =
      nullptr;
  bool healthy ABSL_GUARDED_BY(health_mutex) = false;
  std::unique_ptr<OpenScans> scans;
  std::unique_ptr<Broadcaster> broadcaster;
  std::unique_ptr<ViewServiceImpl> service;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  Mutex mutex;
  bool closed ABSL_GUARDED_BY(mutex) = false;

  void SetHealth(bool ok) {
    MutexLock lock(&health_mutex);
    healthy = ok;
    ReportHealth();
  }
  void AttachHealth(grpc::HealthCheckServiceInterface* service_or_null) {
    MutexLock lock(&health_mutex);
    health = service_or_null;
    ReportHealth();
  }
  void ReportHealth() ABSL_EXCLUSIVE_LOCKS_REQUIRED(health_mutex) {
    if (health == nullptr) return;
    health->SetServingStatus(healthy);
    health->SetServingStatus(kServiceName, healthy);
  }
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, const ViewHub* hub, GatewayStats* stats,
    const Clock* clock) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  auto impl = std::make_unique<Impl>();
  Impl* const self = impl.get();
  impl->scans = std::make_unique<OpenScans>(options.max_open_scans,
                                            options.max_scan_age_ms);
  impl->broadcaster = std::make_unique<Broadcaster>(
      hub, stats, clock, options.max_subscribers,
      [self](bool ok) { self->SetHealth(ok); },
      [self](ProcessingTime now) { self->scans->Expire(now); });
  impl->service = std::make_unique<ViewServiceImpl>(
      options, hub, stats, clock, impl->broadcaster.get(), impl->scans.get());
  grpc::ServerBuilder builder;
  Configure(&builder);
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(),
                           &impl->port);
  builder.RegisterService(impl->service.get());
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr || impl->port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen for gRPC on ", options.listen));
  }
  impl->AttachHealth(impl->server->GetHealthCheckService());
  Log(LogLevel::kInfo, "gRPC is listening", {{"port", impl->port}});
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  Drain(/*retry_after_ms=*/0, /*deadline_ms=*/0);
  impl_->AttachHealth(nullptr);
  impl_->broadcaster->Stop();
}

int Server::port() const { return impl_->port; }

void Server::Drain(int64_t retry_after_ms, int64_t deadline_ms) {
  {
    MutexLock lock(&impl_->mutex);
    if (impl_->closed) return;
    impl_->closed = true;
  }
  const bool all = impl_->broadcaster->Drain(retry_after_ms, deadline_ms);
  if (!all && deadline_ms > 0) {
    Log(LogLevel::kWarning, "cut subscribers that did not drain in time",
        {{"deadline_ms", deadline_ms}});
  }
  impl_->server->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
  impl_->server->Wait();
}

}  // namespace tidegate
