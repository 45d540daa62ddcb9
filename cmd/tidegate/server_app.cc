#include "cmd/tidegate/server_app.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "cmd/tidegate/ingest_metrics.h"
#include "cmd/tidegate/pipeline_runner.h"
#include "gateway/core/stats.h"
#include "gateway/http/http_server.h"
#include "gateway/http/metrics.h"
#include "ingest/registry/schema_registry.h"
#include "views/pipeline/catalog.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {
namespace {

// What a drained subscriber is told to wait before it comes back.
constexpr int64_t kRetryAfterMs = 500;

// HOST of HOST:PORT with the port that was bound.
std::string WithPort(const std::string& listen, int port) {
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

// The pipelines of the views in `rebuild`.
absl::StatusOr<std::set<std::string>> PipelinesToRebuild(
    const PlanSet& plans, const std::vector<std::string>& rebuild) {
  std::set<std::string> pipelines;
  std::vector<std::string> names;
  for (const ViewPlan& view : plans.views) names.push_back(view.name);
  for (const std::string& wanted : rebuild) {
    const auto it = std::find(names.begin(), names.end(), wanted);
    if (it == names.end()) {
      return absl::NotFoundError(absl::StrCat("--rebuild: no view \"", wanted,
                                              "\"", DidYouMean(wanted, names)));
    }
    const ViewPlan& view = plans.views[static_cast<size_t>(it - names.begin())];
    pipelines.insert(view.is_table ? "default" : view.pipeline);
  }
  return pipelines;
}

class ServerAppImpl : public ServerApp {
 public:
  explicit ServerAppImpl(ServerAppOptions options)
      : options_(std::move(options)) {}
  ~ServerAppImpl() override { Stop(); }

  absl::Status Init();

  std::string grpc_address() const override {
    return WithPort(options_.listen, server_->port());
  }
  std::string http_address() const override {
    return WithPort(options_.http, http_->port());
  }
  bool AllUp() const override;
  bool AllStoppedAtStart() const override;
  ServerAppCounts counts() const override;
  void Stop() override;

 private:
  absl::Status OpenPipelines();
  absl::Status StartGateway();
  void CollectIngest(MetricSink* sink) const;

  const ServerAppOptions options_;
  bool stopped_ = false;
  HttpSchemaRegistries registries_{[this](const std::string& url) {
    return MakeCurlHttpClient(AccessTo(url, options_.registries));
  }};
  std::vector<std::unique_ptr<PipelineRunner>> runners_;
  ViewHub hub_;
  std::unique_ptr<GatewayStats> stats_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<HttpServer> http_;
};

absl::Status ServerAppImpl::OpenPipelines() {
  ASSIGN_OR_RETURN(const std::set<std::string> rebuild,
                   PipelinesToRebuild(options_.plans, options_.rebuild));
  for (const std::string& name : PipelineNames(options_.plans)) {
    PipelineRunnerOptions options;
    options.name = name;
    options.plans = &options_.plans;
    options.base_dir = options_.base_dir;
    options.data_dir = options_.data_dir;
    options.kafka = options_.kafka;
    options.registries = &registries_;
    options.store = options_.store;
    options.loop = options_.loop;
    options.rebuild = rebuild.count(name) > 0;
    ASSIGN_OR_RETURN(std::unique_ptr<PipelineRunner> runner,
                     PipelineRunner::Open(std::move(options)));
    runners_.push_back(std::move(runner));
    hub_.Add(runners_.back()->served());
  }
  return absl::OkStatus();
}

absl::Status ServerAppImpl::StartGateway() {
  std::vector<std::string> views;
  for (const ViewHub::View& view : hub_.views()) {
    views.push_back(view.view->name);
  }
  std::vector<std::string> pipelines;
  for (const ServedPipeline* pipeline : hub_.pipelines()) {
    pipelines.push_back(pipeline->name());
  }
  stats_ = std::make_unique<GatewayStats>(views, pipelines);
  metrics_ = std::make_unique<Metrics>(&hub_, stats_.get(), Clock::System());
  metrics_->AddSource([this](MetricSink* sink) { CollectIngest(sink); });
  ServerOptions server = options_.server;
  server.listen = options_.listen;
  auto started = Server::Start(server, &hub_, stats_.get(), Clock::System());
  if (absl::IsUnavailable(started.status())) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ",
                                               options_.listen, ": ",
                                               started.status().message()));
  }
  RETURN_IF_ERROR(started.status());
  server_ = *std::move(started);
  auto http = HttpServer::Start(options_.http, &hub_, metrics_.get());
  if (!http.ok()) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", options_.http, ": ", http.status().message()));
  }
  http_ = *std::move(http);
  return absl::OkStatus();
}

absl::Status ServerAppImpl::Init() {
  RETURN_IF_ERROR(OpenPipelines());
  RETURN_IF_ERROR(StartGateway());
  for (const auto& runner : runners_) runner->Start();
  return absl::OkStatus();
}

void ServerAppImpl::CollectIngest(MetricSink* sink) const {
  for (const auto& runner : runners_) {
    const FoldLoop& loop = runner->loop();
    CollectIngestMetrics(runner->served()->name(), loop.stats(),
                         loop.DivertedEvents(), sink);
  }
  CollectRegistryMetrics(registries_.statuses(), sink);
}

bool ServerAppImpl::AllUp() const {
  return std::all_of(
      hub_.pipelines().begin(), hub_.pipelines().end(),
      [](const ServedPipeline* pipeline) { return pipeline->status().ok(); });
}

bool ServerAppImpl::AllStoppedAtStart() const {
  return !runners_.empty() &&
         std::all_of(runners_.begin(), runners_.end(),
                     [](const std::unique_ptr<PipelineRunner>& runner) {
                       return runner->failed() && !runner->was_up();
                     });
}

ServerAppCounts ServerAppImpl::counts() const {
  ServerAppCounts counts;
  for (const auto& runner : runners_) {
    const FoldLoopStats& stats = runner->loop().stats();
    counts.records += stats.records.load();
    counts.commits += stats.commits.load();
    counts.bad_records += stats.bad_records.load();
  }
  for (const ViewHub::View& view : hub_.views()) {
    for (const auto& state : stats_->view(view.view->name).subscribers) {
      counts.subscribers += state.load();
    }
  }
  return counts;
}

void ServerAppImpl::Stop() {
  if (stopped_) return;
  stopped_ = true;
  if (http_ != nullptr) http_->SetDraining();
  if (server_ != nullptr) {
    server_->Drain(kRetryAfterMs, options_.drain_time_ms);
  }
  for (const auto& runner : runners_) runner->BeginStop();
  for (const auto& runner : runners_) runner->Stop();
  http_.reset();
  server_.reset();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerApp>> ServerApp::Start(
    ServerAppOptions options) {
  auto app = std::make_unique<ServerAppImpl>(std::move(options));
  RETURN_IF_ERROR(app->Init());
  return app;
}

}  // namespace tidegate
