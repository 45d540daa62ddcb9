#include "gateway/http/http_server.h"

#include <atomic>
#include <exception>
#include <utility>
#include <vector>

#include "CivetServer.h"
#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kPrometheus[] = "text/plain; version=0.0.4; charset=utf-8";

constexpr char kIndex[] =
    "Tidegate\n"
    "  /metrics   Prometheus metrics\n"
    "  /healthz   is the process alive\n"
    "  /readyz    does every pipeline serve, and if not, why\n";

struct Page {
  int code = 200;
  const char* reason = "OK";
  const char* type = kText;
  std::string body;
};

void Send(mg_connection* connection, const Page& page, bool with_body) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            page.code, page.reason, page.type, page.body.size());
  if (with_body) {
    mg_write(connection, page.body.data(), page.body.size());
  }
}

}  // namespace

struct HttpServer::Impl : public CivetHandler {
  const ViewHub* hub = nullptr;
  const Metrics* metrics = nullptr;
  std::atomic<bool> draining{false};
  int port = 0;
  std::unique_ptr<CivetServer> server;  // dies first

  Page Ready() const {
    Page page;
    bool ready = true;
    if (draining) {
      ready = false;
      page.body += "draining\n";
    }
    for (const ServedPipeline* pipeline : hub->pipelines()) {
      const absl::Status status = pipeline->status();
      ready = ready && status.ok();
      absl::StrAppend(&page.body, "pipeline=", pipeline->name(), " ",
                      status.ok() ? "ready" : std::string(status.message()),
                      "\n");
    }
    if (!ready) {
      page.code = 503;
      page.reason = "Service Unavailable";
    }
    page.body.insert(0, ready ? "ready\n" : "not ready\n");
    return page;
  }

  Page Answer(absl::string_view path) const {
    Page page;
    if (path == "/") {
      page.body = kIndex;
    } else if (path == "/healthz") {
      page.body = "ok\n";
    } else if (path == "/readyz") {
      page = Ready();
    } else if (path == "/metrics") {
      page.type = kPrometheus;
      page.body = metrics->Text();
    } else {
      page.code = 404;
      page.reason = "Not Found";
      page.body = absl::StrCat("nothing here\n\n", kIndex);
    }
    return page;
  }

  bool handleGet(CivetServer*, mg_connection* connection) override {
    Send(connection, Answer(mg_get_request_info(connection)->local_uri), true);
    return true;
  }
  bool handleHead(CivetServer*, mg_connection* connection) override {
    Send(connection, Answer(mg_get_request_info(connection)->local_uri), false);
    return true;
  }
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const std::string& listen, const ViewHub* hub, const Metrics* metrics) {
  auto impl = std::make_unique<Impl>();
  impl->hub = hub;
  impl->metrics = metrics;
  const std::vector<std::string> options = {
      "listening_ports",    listen,
      "num_threads",        absl::StrCat(kHttpThreads),
      "request_timeout_ms", absl::StrCat(kHttpTimeoutMs),
      "enable_keep_alive",  "no"};
  try {  // CivetServer's way to say that it could not listen
    impl->server = std::make_unique<CivetServer>(options);
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen for HTTP on ", listen, ": ", error.what()));
  }
  impl->server->addHandler("/", impl.get());
  const std::vector<int> ports = impl->server->getListeningPorts();
  if (ports.empty()) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen for HTTP on ", listen));
  }
  impl->port = ports.front();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const { return impl_->port; }

void HttpServer::SetDraining() { impl_->draining = true; }

}  // namespace tidegate
