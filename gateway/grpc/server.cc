#include "gateway/grpc/server.h"

#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "gateway/grpc/builtin_methods.h"
#include "gateway/grpc/push_thread.h"
#include "gateway/grpc/service.h"
#include "gateway/grpc/service_pool.h"
#include "grpcpp/grpcpp.h"

namespace tidegate {
namespace {

constexpr int kMaxRequestBytes = 4 << 20;
constexpr int kKeepaliveTimeMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kMinClientPingMs = 10'000;
// How long calls may take beyond the time of a drain.
constexpr auto kShutdownGrace = std::chrono::milliseconds(500);

void Configure(const ServerOptions& options, grpc::ServerBuilder* builder) {
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
  if (options.max_connection_age_ms > 0) {
    builder->AddChannelArgument(
        GRPC_ARG_MAX_CONNECTION_AGE_MS,
        static_cast<int>(options.max_connection_age_ms));
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                                static_cast<int>(kConnectionGraceMs));
  }
}

// A part of a limit for each of `parts`, none left out.
size_t Share(size_t limit, size_t parts) { return (limit + parts - 1) / parts; }

}  // namespace

struct Server::Impl {
  // Members die in reverse: the threads first, then whom they serve.
  std::unique_ptr<OpenScans> scans;
  std::unique_ptr<ViewService> service;
  std::unique_ptr<ServicePool> pool;
  std::unique_ptr<BuiltinMethods> builtin;
  MethodTable methods;
  grpc::AsyncGenericService generic;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<WorkerPool> workers;
  std::vector<std::unique_ptr<PushThread>> threads;
  int port = 0;
  const ViewHub* hub = nullptr;
  std::atomic<bool> draining{false};
  Mutex mutex;
  bool closed ABSL_GUARDED_BY(mutex) = false;

  // It serves while every pipeline does and nothing drains.
  void ReportHealth() {
    bool healthy = !draining;
    for (ServedPipeline* pipeline : hub->pipelines()) {
      healthy = healthy && pipeline->status().ok();
    }
    builtin->SetServing(healthy);
  }
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, const ViewHub* hub, GatewayStats* stats,
    const Clock* clock) {
  // Protobuf writes to stderr about every request whose text is not UTF-8; who
  // sent it is told so anyway.
  google::protobuf::SetLogHandler(nullptr);
  auto impl = std::make_unique<Impl>();
  Impl* const self = impl.get();
  impl->scans = std::make_unique<OpenScans>(options.max_open_scans,
                                            options.max_scan_age_ms);
  impl->service = std::make_unique<ViewService>(options, hub, stats, clock,
                                                impl->scans.get());
  impl->service->AddMethods(&impl->methods);
  ASSIGN_OR_RETURN(impl->pool, ServicePool::Create(*hub));
  impl->builtin = std::make_unique<BuiltinMethods>(impl->pool->descriptors(),
                                                   impl->pool->services());
  impl->builtin->AddMethods(&impl->methods);
  impl->hub = hub;
  impl->workers = std::make_unique<WorkerPool>(kWorkerThreads, kMaxQueuedReads);
  grpc::ServerBuilder builder;
  Configure(options, &builder);
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(),
                           &impl->port);
  builder.RegisterAsyncGenericService(&impl->generic);
  const size_t count = std::max<size_t>(options.push_threads, 1);
  for (size_t i = 0; i < count; ++i) {
    PushThreadOptions thread;
    thread.fan_out.max_streams = Share(options.max_subscribers, count);
    thread.fan_out.max_streams_per_peer =
        Share(options.max_streams_per_peer, count);
    thread.fan_out.max_waiting_reads = Share(kMaxWaitingReads, count);
    thread.fan_out.max_stream_age_ms = options.max_stream_age_ms;
    thread.fan_out.seed = std::random_device()();
    thread.fan_out.counts_commits = i == 0;
    thread.hub = hub;
    thread.stats = stats;
    thread.clock = clock;
    thread.methods = &impl->methods;
    thread.workers = impl->workers.get();
    thread.on_tick = [self, first = i == 0](ProcessingTime now) {
      if (!first) return;
      self->ReportHealth();
      self->scans->Expire(now);
    };
    impl->threads.push_back(std::make_unique<PushThread>(
        std::move(thread), builder.AddCompletionQueue()));
  }
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr || impl->port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen for gRPC on ", options.listen));
  }
  for (const auto& thread : impl->threads) thread->Start(&impl->generic);
  Log(LogLevel::kInfo, "gRPC is listening", {{"port", impl->port}});
  return std::unique_ptr<Server>(new Server(std::move(impl), stats));
}

Server::Server(std::unique_ptr<Impl> impl, const GatewayStats* stats)
    : impl_(std::move(impl)), stats_(stats) {}

Server::~Server() {
  Drain(/*retry_after_ms=*/0, /*deadline_ms=*/0);
  impl_->workers->Stop();
  for (const auto& thread : impl_->threads) thread->Stop();
}

int Server::port() const { return impl_->port; }

void Server::Drain(int64_t retry_after_ms, int64_t deadline_ms) {
  {
    MutexLock lock(&impl_->mutex);
    if (impl_->closed) return;
    impl_->closed = true;
  }
  impl_->draining = true;
  impl_->ReportHealth();
  for (const auto& thread : impl_->threads) {
    thread->StopAccepting();
    thread->BeginDrain(retry_after_ms, deadline_ms / 2, deadline_ms);
  }
  // Blocks until every call has ended.
  impl_->server->Shutdown(std::chrono::system_clock::now() +
                          std::chrono::milliseconds(deadline_ms) +
                          kShutdownGrace);
  impl_->server->Wait();
  const uint64_t cut = stats_->cut;
  if (cut > 0 && deadline_ms > 0) {
    Log(LogLevel::kWarning, "cut streams that could not be handed on in time",
        {{"deadline_ms", deadline_ms}, {"streams", cut}});
  }
}

}  // namespace tidegate
