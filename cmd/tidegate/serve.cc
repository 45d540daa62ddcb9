// serve and check.
#include <filesystem>
#include <iostream>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "cmd/tidegate/commands.h"
#include "cmd/tidegate/kafka_settings.h"
#include "cmd/tidegate/server_app.h"
#include "cmd/tidegate/signals.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

constexpr int kWatchPollMs = 100;

LogLevel ToLogLevel(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

// Compiles FILE, or prints what is wrong with it; then the exit code is set.
std::optional<PlanSet> Compile(const std::string& file, int* exit_code) {
  const auto text = ReadFile(file);
  if (!text.ok()) {
    PrintError(text.status().message());
    *exit_code = kExitNegative;
    return std::nullopt;
  }
  CompileResult result = CompileViews(*text);
  if (!result.ok()) {
    std::cerr << FormatDiagnostics(file, *text, result.diagnostics)
              << std::flush;
    *exit_code = kExitNegative;
    return std::nullopt;
  }
  return std::move(result.plans);
}

absl::StatusOr<std::vector<RegistrySettings>> ReadRegistrySettings(
    const Arguments& arguments) {
  std::vector<RegistrySettings> all;
  for (const std::string& file : arguments.list("schema-registry-config")) {
    ASSIGN_OR_RETURN(const std::string content, ReadFile(file));
    auto settings = ParseRegistrySettings(content);
    if (!settings.ok()) return Annotate(settings.status(), file);
    const HttpAccess& access = settings->access;
    for (const std::string& named :
         {access.ca_file, access.cert_file, access.key_file}) {
      if (named.empty()) continue;
      RETURN_IF_ERROR_CTX(ReadFile(named).status(), file);
    }
    all.push_back(*std::move(settings));
  }
  return all;
}

ServerAppOptions MakeOptions(const Arguments& arguments, PlanSet plans) {
  ServerAppOptions options;
  options.plans = std::move(plans);
  options.base_dir =
      std::filesystem::path(arguments.text("views")).parent_path().string();
  if (options.base_dir.empty()) options.base_dir = ".";
  options.data_dir = arguments.text("data-dir");
  options.listen = arguments.text("listen");
  options.http = arguments.text("http");
  options.rebuild = arguments.list("rebuild");
  options.loop.accept_truncated_history =
      arguments.is_set("accept-truncated-history");
  options.drain_time_ms = arguments.number("drain-time");
  options.server.max_subscribers =
      static_cast<size_t>(arguments.number("max-subscribers"));
  options.server.max_streams_per_peer =
      static_cast<size_t>(arguments.number("max-streams-per-peer"));
  options.server.max_stream_age_ms = arguments.number("max-stream-age");
  options.server.max_connection_age_ms = arguments.number("max-connection-age");
  options.server.push_threads =
      static_cast<size_t>(arguments.number("push-threads"));
  options.store.checkpoint_age_ms = arguments.number("checkpoint-age");
  options.store.checkpoint_bytes =
      static_cast<size_t>(arguments.number("checkpoint-bytes"));
  options.store.max_overlay_bytes =
      static_cast<size_t>(arguments.number("max-overlay-bytes"));
  options.loop.reorder_buffer_bytes =
      static_cast<size_t>(arguments.number("reorder-buffer-bytes"));
  options.store.log_retention_ms = arguments.number("log-retention");
  options.store.log_retention_bytes =
      static_cast<size_t>(arguments.number("log-retention-bytes"));
  return options;
}

int StartFailure(const absl::Status& status) {
  PrintError(status.message());
  switch (status.code()) {
    case absl::StatusCode::kFailedPrecondition:
      return kExitOtherData;
    case absl::StatusCode::kUnavailable:
      return kExitUnavailable;
    default:
      return kExitNegative;
  }
}

}  // namespace

int RunServe(const Arguments& arguments) {
  SetLogLevel(ToLogLevel(arguments.text("log-level")));
  int exit_code = kExitOk;
  std::optional<PlanSet> plans = Compile(arguments.text("views"), &exit_code);
  if (!plans.has_value()) return exit_code;
  ServerAppOptions options = MakeOptions(arguments, *std::move(plans));
  auto kafka = KafkaSettings(arguments);
  if (!kafka.ok()) {
    PrintError(kafka.status().message());
    return kExitUsage;
  }
  options.kafka = *std::move(kafka);
  auto registries = ReadRegistrySettings(arguments);
  if (!registries.ok()) {
    PrintError(registries.status().message());
    return kExitUsage;
  }
  options.registries = *std::move(registries);
  BlockStopSignals();
  auto app = ServerApp::Start(std::move(options));
  if (!app.ok()) return StartFailure(app.status());
  std::cout << "listening grpc=" << (*app)->grpc_address()
            << " http=" << (*app)->http_address() << std::endl;
  while (WaitForStopSignal(kWatchPollMs) == 0) {
    if (!(*app)->AllStoppedAtStart()) continue;
    (*app)->Stop();
    PrintError("every pipeline has stopped at its start; the log says why");
    return kExitAllStopped;
  }
  Log(LogLevel::kInfo, "stopping");
  (*app)->Stop();
  return kExitOk;
}

int RunCheck(const Arguments& arguments) {
  int exit_code = kExitOk;
  const std::optional<PlanSet> plans =
      Compile(arguments.words()[0], &exit_code);
  if (!plans.has_value()) return exit_code;
  size_t tables = 0;
  for (const ViewPlan& view : plans->views) tables += view.is_table ? 1 : 0;
  std::cout << arguments.words()[0] << ": " << plans->views.size() - tables
            << " views and " << tables << " tables, no errors\n";
  return kExitOk;
}

}  // namespace tidegate
