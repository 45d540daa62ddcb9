#include "gateway/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gateway/core/fake_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// The whole reply of one request.
std::string Request(int port, const std::string& method,
                    const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string reply;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string text =
        absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(write(fd, text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
      reply.append(buffer, static_cast<size_t>(n));
    }
  }
  close(fd);
  return reply;
}

class FixedClock : public Clock {
 public:
  ProcessingTime Now() const override { return ProcessingTime(10'000'000); }
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    catalog_.pipeline = "default";
    catalog_.views.resize(1);
    catalog_.views[0].id = ViewId(1);
    catalog_.views[0].name = "things";
    pipeline_ = std::make_unique<ServedPipeline>("default", &catalog_, &store_);
    hub_.Add(pipeline_.get());
    metrics_ = std::make_unique<Metrics>(&hub_, &stats_, &clock_);
    auto server = HttpServer::Start("127.0.0.1:0", &hub_, metrics_.get());
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Get(const std::string& path) {
    return Request(server_->port(), "GET", path);
  }

  FakeStore store_;
  Catalog catalog_;
  std::unique_ptr<ServedPipeline> pipeline_;
  ViewHub hub_;
  FixedClock clock_;
  GatewayStats stats_{std::vector<std::string>{"things"},
                      std::vector<std::string>{"default"}};
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, ReadyOnlyWhileEveryPipelineServes) {
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/readyz"), HasSubstr("pipeline=default starting"));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));
  pipeline_->SetStatus(absl::OkStatus());
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200"));
  pipeline_->SetStatus(absl::FailedPreconditionError("topic was re-created"));
  EXPECT_THAT(Get("/readyz"), HasSubstr("topic was re-created"));
  pipeline_->SetStatus(absl::OkStatus());
  server_->SetDraining();
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/readyz"), HasSubstr("draining"));
}

TEST_F(HttpServerTest, IndexAndUnknownPaths) {
  EXPECT_THAT(Get("/"), HasSubstr("/metrics"));
  EXPECT_THAT(Get("/nope"), StartsWith("HTTP/1.1 404"));
  const std::string head = Request(server_->port(), "HEAD", "/");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(head, Not(HasSubstr("/metrics")));
}

TEST_F(HttpServerTest, MetricsShowStoreAndSubscribers) {
  pipeline_->SetStatus(absl::OkStatus());
  store_.Commit({{{ViewId(1), "k"}, "row"}}, ProcessingTime(5));
  ViewStats& view = stats_.view("things");
  view.subscribers[2] = 4;
  view.messages = 7;
  view.resets[2] = 3;
  view.committed_to_sent.Observe(1500);        // 1.5 ms
  view.committed_to_sent.Observe(90'000'000);  // beyond the last bound
  metrics_->AddSource([](MetricSink* sink) {
    sink->Counter("tidegate_events_total", "Events.", {{"source", "a\"b"}}, 12);
  });
  const std::string text = Get("/metrics");
  EXPECT_THAT(text, HasSubstr("version=0.0.4"));
  for (const char* line :
       {"# HELP tidegate_head_seq ", "# TYPE tidegate_commits_total counter",
        "tidegate_pipeline_up{pipeline=\"default\"} 1\n",
        "tidegate_head_seq{pipeline=\"default\"} 1\n",
        "tidegate_overlay_bytes{pipeline=\"default\"} 111\n",
        "tidegate_log_bytes{pipeline=\"default\"} 222\n",
        "tidegate_view_rows{view=\"things\"} 1\n",
        "tidegate_subscribers{view=\"things\",state=\"blocked\"} 4\n",
        "tidegate_messages_sent_total{view=\"things\"} 7\n",
        "tidegate_resets_total{view=\"things\",cause=\"UNKNOWN_INCARNATION\"} "
        "3\n",
        "tidegate_committed_to_sent_seconds_bucket{view=\"things\",le=\"0."
        "001\"} 0\n",
        "tidegate_committed_to_sent_seconds_bucket{view=\"things\",le=\"0."
        "002\"} 1\n",
        "tidegate_committed_to_sent_seconds_bucket{view=\"things\",le=\"+Inf\"}"
        " 2\n",
        "tidegate_committed_to_sent_seconds_count{view=\"things\"} 2\n",
        "tidegate_events_total{source=\"a\\\"b\"} 12\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(HttpServerTest, MetricsShowTheWatermarkAndWhatHoldsIt) {
  pipeline_->SetWatermarks(
      {{"orders", PartitionId(1), EventTime(8'500'000), PartitionState::kActive,
        true},
       {"orders", PartitionId(2), kNoEventTime, PartitionState::kError, true},
       {"rides", PartitionId(0), EventTime(9'000'000), PartitionState::kIdle}});
  for (int i = 0; i < 3; ++i) store_.Commit({}, ProcessingTime(5));
  const std::string text = Get("/metrics");
  for (const char* line :
       {"# TYPE tidegate_watermark_seconds gauge",
        "tidegate_watermark_seconds{pipeline=\"default\"} 3e-06\n",
        "tidegate_watermark_lag_seconds{pipeline=\"default\"} 9.999997",
        "tidegate_partition_watermark_lag_seconds{pipeline=\"default\",topic="
        "\"orders\",partition=\"1\"} 1.5\n",
        "tidegate_partition_watermark_lag_seconds{pipeline=\"default\",topic="
        "\"rides\",partition=\"0\"} 1\n",
        "tidegate_partition_holds_watermark{pipeline=\"default\",topic="
        "\"orders\",partition=\"2\"} 1\n",
        "tidegate_partition_holds_watermark{pipeline=\"default\",topic="
        "\"rides\",partition=\"0\"} 0\n",
        "tidegate_partition_state{pipeline=\"default\",topic=\"orders\","
        "partition=\"2\",state=\"error\"} 1\n",
        "tidegate_partition_state{pipeline=\"default\",topic=\"orders\","
        "partition=\"2\",state=\"active\"} 0\n",
        "tidegate_partition_state{pipeline=\"default\",topic=\"rides\","
        "partition=\"0\",state=\"idle\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("lag_seconds{pipeline=\"default\",topic="
                                  "\"orders\",partition=\"2\"")));
}

TEST_F(HttpServerTest, APortInUseIsAnError) {
  EXPECT_EQ(HttpServer::Start(absl::StrCat("127.0.0.1:", server_->port()),
                              &hub_, metrics_.get())
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tidegate
