// The composition root against the embedded broker: definitions that change,
// rebuilds, topics that do not fit.
#include "cmd/tidegate/server_app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/log.h"
#include "clients/cpp/view_client.h"
#include "cmd/tidegate/client_setup.h"
#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/kafka_producer.h"
#include "views/sql/compile.h"

namespace tidegate {

// client_setup.cc prints through it; nothing here does.
void PrintError(absl::string_view) {}

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr auto kDeadline = std::chrono::seconds(30);

constexpr char kViews[] = R"sql(
CREATE SOURCE hits (k VARCHAR, n BIGINT)
  WITH (topic = 'hits') FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW totals AS
  SELECT k, $AGGREGATE AS total FROM hits GROUP BY k;
)sql";

constexpr char kTimedViews[] = R"sql(
CREATE SOURCE hits (k VARCHAR, n BIGINT, ts TIMESTAMPTZ,
                    WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH (topic = 'hits') FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW totals AS
  SELECT window_start, $AGGREGATE AS total
  FROM TUMBLE(hits, ts, INTERVAL '1' MINUTE) GROUP BY window_start;
)sql";

class ServerAppTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kError);
    std::filesystem::remove_all(data_dir_);
    auto broker = EmbeddedBroker::Start();
    ASSERT_TRUE(broker.ok()) << broker.status();
    broker_ = *std::move(broker);
    auto producer = KafkaProducer::Create(
        {{"bootstrap.servers", broker_->bootstrap_servers()}});
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = *std::move(producer);
  }
  void TearDown() override {
    app_.reset();
    std::filesystem::remove_all(data_dir_);
  }

  void CreateTopic() { ASSERT_TRUE(broker_->CreateTopic("hits", 2).ok()); }

  void Hit(const std::string& key, int n, int minute = 0) {
    const std::string value =
        absl::StrCat("{\"k\":\"", key, "\",\"n\":", n,
                     ",\"ts\":\"2013-01-01T00:0", minute, ":00Z\"}");
    KafkaMessage message;
    message.topic = "hits";
    message.key = key;
    message.value = value;
    ASSERT_TRUE(producer_->Produce(message).ok());
    ASSERT_TRUE(producer_->Flush(10'000).ok());
  }

  absl::Status Start(const std::string& aggregate,
                     std::vector<std::string> rebuild = {},
                     const std::string& views = kViews) {
    app_.reset();
    ServerAppOptions options;
    CompileResult compiled =
        CompileViews(absl::StrReplaceAll(views, {{"$AGGREGATE", aggregate}}));
    EXPECT_TRUE(compiled.ok());
    options.plans = std::move(compiled.plans);
    options.base_dir = ".";
    options.data_dir = data_dir_;
    options.kafka = {{"bootstrap.servers", broker_->bootstrap_servers()},
                     {"fetch.wait.max.ms", "5"}};
    options.rebuild = std::move(rebuild);
    auto app = ServerApp::Start(std::move(options));
    if (!app.ok()) return app.status();
    app_ = *std::move(app);
    return absl::OkStatus();
  }

  // One line per row of `totals`.
  absl::StatusOr<std::string> Scan() {
    const auto client = client::ViewClient::Create(app_->grpc_address(), 2'000);
    const auto rows = DescribeRows(client.get(), "totals");
    if (!rows.ok()) return rows.status();
    std::string lines;
    const auto position = client->Scan(
        "totals", {.page_size = 100}, [&](const client::FoundRow& row) {
          absl::StrAppend(&lines, *(*rows)->RowJson(row.row),
                          client::FinalityName(row.finality));
          return true;
        });
    if (!position.ok()) return position.status();
    return lines;
  }

  // Waits until a scan shows `wanted`; every other answer on the way goes
  // through `seen`.
  template <typename Seen>
  void WaitFor(const std::string& wanted, Seen seen) {
    const auto until = steady_clock::now() + kDeadline;
    absl::StatusOr<std::string> got;
    while (steady_clock::now() < until) {
      got = Scan();
      if (got.ok() && *got == wanted) return;
      seen(got);
      std::this_thread::sleep_for(milliseconds(5));
    }
    FAIL() << "wanted " << wanted << ", got "
           << (got.ok() ? *got : got.status().ToString());
  }
  void WaitFor(const std::string& wanted) {
    WaitFor(wanted, [](const auto&) {});
  }

  std::string Current() {
    std::ifstream in(data_dir_ + "/default/CURRENT");
    std::string text;
    std::getline(in, text);
    return text;
  }

  const std::string data_dir_ =
      ::testing::TempDir() + "/server_app_test." +
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::unique_ptr<EmbeddedBroker> broker_;
  std::unique_ptr<KafkaProducer> producer_;
  std::unique_ptr<ServerApp> app_;
};

TEST_F(ServerAppTest, ContinuesAfterARestart) {
  CreateTopic();
  Hit("a", 1);
  Hit("b", 2);
  ASSERT_TRUE(Start("sum(n)").ok());
  WaitFor(R"({"k":"a","total":1}{"k":"b","total":2})");
  app_->Stop();
  Hit("a", 10);
  ASSERT_TRUE(Start("sum(n)").ok());
  WaitFor(R"({"k":"a","total":11}{"k":"b","total":2})");
}

TEST_F(ServerAppTest, ChangedDefinitionsAreRefusedUntilRebuilt) {
  CreateTopic();
  Hit("a", 5);
  Hit("a", 7);
  ASSERT_TRUE(Start("sum(n)").ok());
  WaitFor(R"({"k":"a","total":12})");
  const absl::Status refused = Start("max(n)");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("--rebuild totals"));
  EXPECT_EQ(Current(), "1");

  ASSERT_TRUE(Start("max(n)", {"totals"}).ok());
  // Never the old view's row, nor a half-built one.
  WaitFor(R"({"k":"a","total":7})", [](const auto& got) {
    EXPECT_FALSE(got.ok()) << *got;
    EXPECT_EQ(got.status().code(), absl::StatusCode::kUnavailable)
        << got.status();
  });
  EXPECT_EQ(Current(), "2");
  // The build before goes after the new one has taken its place.
  const auto until = steady_clock::now() + kDeadline;
  while (std::filesystem::exists(data_dir_ + "/default/1") &&
         steady_clock::now() < until) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_FALSE(std::filesystem::exists(data_dir_ + "/default/1"));
  Hit("a", 9);
  WaitFor(R"({"k":"a","total":9})");
  ASSERT_TRUE(Start("max(n)").ok());
  WaitFor(R"({"k":"a","total":9})");
}

TEST_F(ServerAppTest, AnUnfinishedRebuildLeavesTheOldBuild) {
  CreateTopic();
  Hit("a", 5);
  ASSERT_TRUE(Start("sum(n)").ok());
  WaitFor(R"({"k":"a","total":5})");
  app_.reset();
  // The broker is away: the rebuild cannot come to its end.
  ASSERT_TRUE(broker_->SetDown().ok());
  ASSERT_TRUE(Start("max(n)", {"totals"}).ok());
  EXPECT_EQ(Scan().status().code(), absl::StatusCode::kUnavailable);
  app_.reset();
  EXPECT_EQ(Current(), "1");
  EXPECT_EQ(Start("max(n)").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(broker_->SetUp().ok());
  ASSERT_TRUE(Start("max(n)", {"totals"}).ok());
  WaitFor(R"({"k":"a","total":5})");
  EXPECT_EQ(Current(), "2");
}

// It would take the build under way for what a dead rebuild left behind.
TEST_F(ServerAppTest, ASecondServerIsKeptFromARebuild) {
  CreateTopic();
  Hit("a", 5);
  ASSERT_TRUE(Start("sum(n)").ok());
  WaitFor(R"({"k":"a","total":5})");
  app_.reset();
  ASSERT_TRUE(broker_->SetDown().ok());
  ASSERT_TRUE(Start("max(n)", {"totals"}).ok());
  const std::unique_ptr<ServerApp> rebuilding = std::move(app_);
  const absl::Status second = Start("sum(n)");
  EXPECT_EQ(second.code(), absl::StatusCode::kAborted) << second;
  EXPECT_THAT(second.message(), HasSubstr("in use by another process"));
  EXPECT_TRUE(std::filesystem::exists(data_dir_ + "/default/2"));
}

TEST_F(ServerAppTest, WindowsCloseAndViewsShowTheWatermark) {
  CreateTopic();
  Hit("a", 5);
  // Enough keys for both partitions to come so far.
  for (int i = 0; i < 20; ++i) Hit(absl::StrCat("k", i), 1, /*minute=*/2);
  for (const std::vector<std::string>& rebuild :
       {std::vector<std::string>{}, std::vector<std::string>{"totals"}}) {
    ASSERT_TRUE(Start("sum(n)", rebuild, kTimedViews).ok());
    WaitFor(R"({"window_start":"2013-01-01T00:00:00Z","total":5}final)"
            R"({"window_start":"2013-01-01T00:02:00Z","total":20}provisional)");
    const auto client = client::ViewClient::Create(app_->grpc_address(), 2'000);
    const auto until = steady_clock::now() + kDeadline;
    bool shown = false;
    while (!shown && steady_clock::now() < until) {
      const auto view = client->Describe("totals");
      ASSERT_TRUE(view.ok()) << view.status();
      shown = view->watermark_us.has_value() && view->partitions.size() == 2;
      std::this_thread::sleep_for(milliseconds(5));
    }
    EXPECT_TRUE(shown);
  }
}

TEST_F(ServerAppTest, RebuildOfAnUnknownViewIsASuggestion) {
  CreateTopic();
  const absl::Status status = Start("sum(n)", {"total"});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("did you mean \"totals\"?"));
}

TEST_F(ServerAppTest, AMissingTopicStopsEveryPipeline) {
  broker_->SetTopicMissing("hits", true);
  ASSERT_TRUE(Start("sum(n)").ok());
  const auto until = steady_clock::now() + kDeadline;
  while (!app_->AllStoppedAtStart() && steady_clock::now() < until) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(app_->AllStoppedAtStart());
  EXPECT_EQ(Scan().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ServerAppTest, APortThatIsTaken) {
  CreateTopic();
  ASSERT_TRUE(Start("sum(n)").ok());
  ServerAppOptions options;
  CompileResult compiled =
      CompileViews(absl::StrReplaceAll(kViews, {{"$AGGREGATE", "sum(n)"}}));
  options.plans = std::move(compiled.plans);
  options.data_dir = data_dir_ + "/other";
  options.kafka = {{"bootstrap.servers", broker_->bootstrap_servers()}};
  options.http = app_->http_address();
  const auto second = ServerApp::Start(std::move(options));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(), HasSubstr(app_->http_address()));
}

}  // namespace
}  // namespace tidegate
