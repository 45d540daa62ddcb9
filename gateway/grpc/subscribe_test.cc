// Subscribe over a real connection.
#include <thread>

#include "gateway/grpc/server_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class SubscribeTest : public ServerFixture {};

TEST_F(SubscribeTest, SnapshotDeltasAndResumeOnANewConnection) {
  Put("a", "1");
  Put("b", "1");
  ASSERT_TRUE(store_->Checkpoint(Clock::System()->Now()).ok());
  StartServer();
  ClientModel model;
  {
    TestStream stream(stub_.get(), Everything(), &model);
    ASSERT_TRUE(stream.Read());
    EXPECT_TRUE(stream.last().snapshot());
    EXPECT_TRUE(stream.last().has_position());
    Put("a", "2");
    ASSERT_TRUE(stream.ReadTo(Seq(3)));
    EXPECT_EQ(stream.last().changes_size(), 1);
    EXPECT_TRUE(stream.last().has_committed_at());
    EXPECT_EQ(stream.CancelAndFinish().error_code(),
              grpc::StatusCode::CANCELLED);
  }
  Put("c", "1");
  Write({{"b", std::nullopt}});
  TestStream stream(stub_.get(), Everything(model.token), &model);
  ASSERT_TRUE(stream.ReadTo(store_->head()));
  EXPECT_EQ(model.rows, rows_);
  EXPECT_EQ(model.ends, 1);
  EXPECT_EQ(model.resets, 0);
  EXPECT_EQ(model.upserts, 4);  // a, b, a, c: nothing twice
  stream.CancelAndFinish();
  EXPECT_TRUE(Eventually([&] {
    const auto& by_state = stats_->view("things").subscribers;
    return by_state[0] + by_state[1] + by_state[2] == 0;
  }));
}

TEST_F(SubscribeTest, RowsSayWhetherTheyCanStillChange) {
  UseWindows();
  watermark_ = EventTime(50);
  window_end_ = 60;
  Put("a", "1");
  StartServer();
  ClientModel model;
  model.schema = &WindowedSchema();
  model.window_column = kTestWindowColumn;
  {
    TestStream stream(stub_.get(), Everything(), &model);
    ASSERT_TRUE(stream.ReadTo(Seq(1)));
    EXPECT_EQ(model.finality[TestKey("a")], Finality::kProvisional);
    watermark_ = EventTime(60);
    Put("a", "2");
    ASSERT_TRUE(stream.ReadTo(Seq(2)));
    EXPECT_EQ(stream.last().changes(0).finality(), v1::FINALITY_FINAL);
    EXPECT_EQ(stream.last().watermark().nanos(), 60'000);
    stream.CancelAndFinish();
  }
  Write({{"a", "3"}}, /*corrected=*/true);
  window_end_ = 70;
  Put("b", "1");
  TestStream stream(stub_.get(), Everything(model.token), &model);
  ASSERT_TRUE(stream.ReadTo(Seq(4)));
  EXPECT_EQ(model.finality[TestKey("a")], Finality::kCorrected);
  EXPECT_EQ(model.finality[TestKey("b")], Finality::kProvisional);
  EXPECT_EQ(model.rows, rows_);
  EXPECT_EQ(model.watermark, 60);
}

TEST_F(SubscribeTest, KeysAndProgress) {
  Put("a", "1");
  StartServer();
  v1::SubscribeRequest request = Everything();
  request.add_keys(TestKeyMessage("b"));
  request.mutable_progress_interval()->set_nanos(100'000'000);
  ClientModel model;
  TestStream stream(stub_.get(), request, &model);
  ASSERT_TRUE(stream.ReadTo(Seq(1)));
  Put("a", "2");
  Put("b", "1");
  ASSERT_TRUE(stream.ReadTo(Seq(3)));
  while (model.progress == 0) ASSERT_TRUE(stream.Read());
  EXPECT_EQ(model.upserts, 1);
  EXPECT_EQ(model.rows.size(), 1u);
}

TEST_F(SubscribeTest, AConditionAndAPrefixChooseRows) {
  Put("a", "x");
  Put("b", "y");
  StartServer();
  v1::SubscribeRequest request = Everything();
  request.set_where("v = 'x'");
  ClientModel model;
  TestStream stream(stub_.get(), request, &model);
  ASSERT_TRUE(stream.ReadTo(Seq(2)));
  EXPECT_EQ(model.rows.size(), 1u);
  Put("b", "x");
  Put("a", "y");
  ASSERT_TRUE(stream.ReadTo(Seq(4)));
  EXPECT_EQ(model.rows.count(TestKey("b")), 1u);
  EXPECT_EQ(model.lefts, 1);
  request = Everything();
  request.set_key_prefix(TestKeyMessage("a"));
  ClientModel prefixed;
  TestStream second(stub_.get(), request, &prefixed);
  ASSERT_TRUE(second.ReadTo(Seq(4)));
  EXPECT_EQ(prefixed.rows.size(), 1u);
  EXPECT_EQ(prefixed.rows.count(TestKey("a")), 1u);
}

TEST_F(SubscribeTest, RefusesMistakesWithWhatToDo) {
  StartServer();
  v1::SubscribeRequest request = Everything("junk");
  EXPECT_EQ(SubscribeStatus(request).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  request = Everything();
  request.set_view("thinks");
  const grpc::Status status = SubscribeStatus(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("things"));
  request = Everything();
  request.add_keys("\xff\xff");
  EXPECT_THAT(SubscribeStatus(request).error_message(), HasSubstr("ThingsKey"));
  request = Everything();
  request.set_where("w = 'x'");
  EXPECT_THAT(SubscribeStatus(request).error_message(),
              HasSubstr("unknown column \"w\""));
}

TEST_F(SubscribeTest, LimitsAreNamedAndSayWhenToComeBack) {
  ServerOptions options;
  options.max_subscribers = 1;
  options.max_keys_per_subscription = 2;
  StartServer(options);
  v1::SubscribeRequest request = Everything();
  for (const char* key : {"a", "b", "c"}) request.add_keys(TestKeyMessage(key));
  EXPECT_EQ(SubscribeStatus(request).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  ClientModel model;
  TestStream stream(stub_.get(), Everything(), &model);
  ASSERT_TRUE(stream.Read());
  const grpc::Status status = SubscribeStatus(Everything());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_details(), HasSubstr("google.rpc.RetryInfo"));
  EXPECT_EQ(stats_->rejected, 2u);
  stream.CancelAndFinish();
  EXPECT_TRUE(Eventually([&] {  // the place is free again
    ClientModel next;
    TestStream another(stub_.get(), Everything(), &next);
    const bool read = another.Read();
    another.CancelAndFinish();
    return read;
  }));
}

TEST_F(SubscribeTest, StartingAndStoppedPipelines) {
  StartServer();
  pipeline_->SetStatus(absl::UnavailableError("reading table drivers"));
  EXPECT_EQ(SubscribeStatus(Everything()).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  pipeline_->SetStatus(absl::OkStatus());
  ClientModel model;
  TestStream stream(stub_.get(), Everything(), &model);
  ASSERT_TRUE(stream.Read());
  Put("a", "1");
  pipeline_->SetStatus(absl::FailedPreconditionError("topic was re-created"));
  const grpc::Status status = stream.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("re-created"));
  EXPECT_EQ(model.rows, rows_) << "what there was came first";
}

TEST_F(SubscribeTest, RestartWithTheSameLogResumes) {
  Put("a", "1");
  StartServer();
  ClientModel model;
  {
    TestStream stream(stub_.get(), Everything(), &model);
    ASSERT_TRUE(stream.ReadTo(Seq(1)));
    stream.CancelAndFinish();
  }
  Put("a", "2");
  Restart("B");
  Put("b", "1");
  TestStream stream(stub_.get(), Everything(model.token), &model);
  ASSERT_TRUE(stream.ReadTo(Seq(3)));
  EXPECT_EQ(model.resets, 0);
  EXPECT_EQ(model.rows, rows_);
}

TEST_F(SubscribeTest, ResetsSayWhy) {
  retention_ms_ = 1;
  OpenStore("B");
  Put("a", "1");
  StartServer();
  ClientModel model;
  {
    TestStream stream(stub_.get(), Everything(), &model);
    ASSERT_TRUE(stream.ReadTo(Seq(1)));
    stream.CancelAndFinish();
  }
  const std::string token = model.token;
  const ProcessingTime later(Clock::System()->Now().value() + 600'000'000);
  for (int i = 0; i < 3; ++i) {
    Put("a", absl::StrCat("v", i));
    ASSERT_TRUE(store_->Checkpoint(later).ok());
  }
  ASSERT_GT(store_->resumable_from(), Seq(1));
  {
    TestStream stream(stub_.get(), Everything(token), &model);
    ASSERT_TRUE(stream.Read());
    EXPECT_EQ(stream.last().reset().cause(), v1::Reset::HISTORY_TRIMMED);
    ASSERT_TRUE(stream.ReadTo(store_->head()));
    EXPECT_EQ(model.rows, rows_);
    stream.CancelAndFinish();
  }
  server_.reset();
  catalog_.views[0].version = 2;
  StartServer();
  {
    TestStream stream(stub_.get(), Everything(model.token), &model);
    ASSERT_TRUE(stream.Read());
    EXPECT_EQ(stream.last().reset().cause(), v1::Reset::VIEW_REBUILT);
    ASSERT_TRUE(stream.ReadTo(store_->head()));
    stream.CancelAndFinish();
  }
  server_.reset();
  SimulatedStore other;
  store_ = *MaterializedStore::Open(&other, {}, {}, std::string(16, 'Z'),
                                    Clock::System()->Now());
  pipeline_ =
      std::make_unique<ServedPipeline>("default", &catalog_, store_.get());
  pipeline_->SetStatus(absl::OkStatus());
  hub_ = std::make_unique<ViewHub>();
  hub_->Add(pipeline_.get());
  StartServer();
  TestStream stream(stub_.get(), Everything(model.token), &model);
  ASSERT_TRUE(stream.Read());
  EXPECT_EQ(stream.last().reset().cause(), v1::Reset::UNKNOWN_INCARNATION);
  stream.CancelAndFinish();
  server_.reset();
  store_.reset();
}

TEST_F(SubscribeTest, DrainHandsEveryoneOverAndLosesNothing) {
  constexpr int kClients = 20;
  Put("a", "1");
  StartServer();
  std::vector<ClientModel> models(kClients);
  std::vector<std::unique_ptr<TestStream>> streams;
  for (ClientModel& model : models) {
    streams.push_back(
        std::make_unique<TestStream>(stub_.get(), Everything(), &model));
    ASSERT_TRUE(streams.back()->ReadTo(Seq(1)));
  }
  Put("b", "1");
  std::vector<std::thread> threads;
  threads.reserve(streams.size());
  for (auto& stream : streams) {
    threads.emplace_back([&stream] {
      EXPECT_EQ(stream->End().error_code(), grpc::StatusCode::UNAVAILABLE);
    });
  }
  server_->Drain(/*retry_after_ms=*/250, /*deadline_ms=*/4'000);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stats_->drained, static_cast<uint64_t>(kClients));
  for (auto& stream : streams) {
    EXPECT_GE(stream->last().drain().retry_after().nanos(), 125'000'000);
    EXPECT_LE(stream->last().drain().retry_after().nanos(), 375'000'000);
  }
  EXPECT_NE(Health(), 1u);
  streams.clear();
  Restart("B");
  Put("c", "1");
  for (ClientModel& model : models) {
    EXPECT_EQ(model.drains, 1);
    TestStream stream(stub_.get(), Everything(model.token), &model);
    ASSERT_TRUE(stream.ReadTo(Seq(3)));
    EXPECT_EQ(model.rows, rows_);
    EXPECT_EQ(model.upserts, 3) << "nothing twice";
    EXPECT_EQ(model.resets, 0);
  }
}

TEST_F(SubscribeTest, AStalledClientHoldsNobodyBack) {
  StartServer();
  auto stalled_stub = v1::ViewService::NewStub(NewChannel());
  ClientModel stalled_model;
  TestStream stalled(stalled_stub.get(), Everything(), &stalled_model);
  ASSERT_TRUE(stalled.Read());
  ClientModel model;
  TestStream healthy(stub_.get(), Everything(), &model);
  ASSERT_TRUE(healthy.Read());
  // Far more than any buffer on the way takes.
  for (int i = 0; i < 2500; ++i) {
    Put(absl::StrCat("k", i % 7), std::string(5'000 + i % 9, 'x'));
    ASSERT_TRUE(healthy.ReadTo(store_->head()));
  }
  EXPECT_EQ(model.rows, rows_);
  EXPECT_TRUE(Eventually([&] {
    constexpr auto kBlocked = static_cast<size_t>(SubscriberState::kBlocked);
    return stats_->view("things").subscribers[kBlocked] == 1;
  }));
  ASSERT_TRUE(stalled.ReadTo(store_->head()));
  EXPECT_EQ(stalled_model.rows, rows_);
  EXPECT_LT(stalled_model.upserts, model.upserts) << "it got a conflated range";
  EXPECT_GT(stalled_model.multi_commit_ranges, 0);
}

}  // namespace
}  // namespace tidegate
