// Session over a real connection.
#include "gateway/core/session_testing.h"
#include "gateway/grpc/server_fixture.h"
#include "gmock/gmock.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

// A Session whose every message is applied to a model.
class TestSession {
 public:
  TestSession(v1::ViewService::Stub* stub, SessionModel* model)
      : model_(model) {
    context_.set_deadline(std::chrono::system_clock::now() + kTestDeadline);
    stream_ = stub->Session(&context_);
  }
  void Watch(uint32_t id, std::initializer_list<const char*> keys,
             const std::string& token = "") {
    model_->Expect(id).model.Disconnected();
    v1::SessionRequest request;
    request.mutable_watch()->set_id(id);
    v1::SubscribeRequest* const to =
        request.mutable_watch()->mutable_subscribe();
    to->set_view("things");
    to->set_resume_token(token);
    for (const char* key : keys) to->add_keys(TestKeyMessage(key));
    EXPECT_TRUE(stream_->Write(request));
  }
  void AddKey(uint32_t id, uint64_t number, const std::string& key) {
    v1::SessionRequest request;
    request.set_request(number);
    request.mutable_keys()->set_id(id);
    request.mutable_keys()->add_add(TestKeyMessage(key));
    EXPECT_TRUE(stream_->Write(request));
  }
  bool Write(const v1::SessionRequest& request) {
    return stream_->Write(request);
  }
  bool Read() {
    v1::SessionResponse response;
    if (!stream_->Read(&response)) return false;
    model_->Apply(response.SerializeAsString());
    EXPECT_EQ(model_->FirstViolation(), "");
    return true;
  }
  template <typename Condition>
  bool ReadUntil(Condition condition) {
    while (!condition()) {
      if (!Read()) return false;
    }
    return true;
  }
  grpc::Status End() {
    stream_->WritesDone();
    return ReadToEnd();
  }
  grpc::Status ReadToEnd() {
    while (Read()) {
    }
    return stream_->Finish();
  }

 private:
  SessionModel* const model_;
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>>
      stream_;
};

class GrpcSessionTest : public ServerFixture {
 protected:
  std::optional<Seq> At(uint32_t id) {
    return model_.watches.at(id).model.position;
  }
  SessionModel model_;
};

TEST_F(GrpcSessionTest, WatchesAndKeysThatCome) {
  Put("a", "1");
  Put("b", "1");
  StartServer();
  TestSession session(stub_.get(), &model_);
  session.Watch(1, {"a"});
  session.Watch(2, {});
  ASSERT_TRUE(
      session.ReadUntil([&] { return At(1) == Seq(2) && At(2) == Seq(2); }));
  EXPECT_EQ(model_.watches[2].model.rows, rows_);
  session.AddKey(1, 7, "b");
  ASSERT_TRUE(
      session.ReadUntil([&] { return !model_.watches[1].applied.empty(); }));
  EXPECT_EQ(model_.watches[1].model.rows, rows_);
  const int updates = model_.updates;
  const int messages = model_.messages;
  Write({{"a", "2"}, {"b", "2"}});
  ASSERT_TRUE(
      session.ReadUntil([&] { return At(1) == Seq(3) && At(2) == Seq(3); }));
  EXPECT_EQ(model_.watches[1].model.rows, rows_);
  EXPECT_EQ(model_.messages, messages + 1);
  EXPECT_EQ(model_.updates, updates + 2);
  EXPECT_TRUE(session.End().ok());
  EXPECT_TRUE(Eventually(
      [&] { return stats_->view("things").subscribers[0].load() == 0; }));
}

TEST_F(GrpcSessionTest, MoreRequestsThanMayWait) {
  StartServer();
  TestSession session(stub_.get(), &model_);
  session.Watch(1, {"a"});
  const uint64_t count = 10 * kMaxPendingSessionRequests;
  for (uint64_t i = 1; i <= count; ++i) {
    session.AddKey(1, i, absl::StrCat("k", i));
  }
  auto& applied = model_.watches[1].applied;
  ASSERT_TRUE(session.ReadUntil([&] { return applied.size() == count; }));
  EXPECT_EQ(applied.back(), count);
  Put("k77", "1");
  ASSERT_TRUE(
      session.ReadUntil([&] { return !model_.watches[1].model.rows.empty(); }));
  EXPECT_TRUE(session.End().ok());
}

TEST_F(GrpcSessionTest, AMistakeInOneWatchAndOneInTheSession) {
  StartServer();
  TestSession session(stub_.get(), &model_);
  session.Watch(1, {"a"});
  v1::SessionRequest request;
  request.mutable_watch()->set_id(2);
  request.mutable_watch()->mutable_subscribe()->set_view("thinks");
  model_.Expect(2);
  EXPECT_TRUE(session.Write(request));
  ASSERT_TRUE(
      session.ReadUntil([&] { return model_.watches[2].failure != 0; }));
  EXPECT_EQ(model_.watches[2].failure, 5);
  Put("a", "1");
  ASSERT_TRUE(session.ReadUntil([&] { return At(1) == Seq(1); }));
  EXPECT_TRUE(session.Write(v1::SessionRequest()));
  const grpc::Status status = session.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("without an action"));
}

TEST_F(GrpcSessionTest, ADrainLosesNothing) {
  Put("a", "1");
  StartServer();
  {
    TestSession session(stub_.get(), &model_);
    session.Watch(1, {"a"});
    ASSERT_TRUE(session.ReadUntil([&] { return At(1).has_value(); }));
    std::thread drain([&] { server_->Drain(100, 5'000); });
    const grpc::Status status = session.ReadToEnd();
    drain.join();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(model_.drains, 1);
    model_.drains = 0;
  }
  Put("a", "2");
  Restart("B");
  TestSession session(stub_.get(), &model_);
  session.Watch(1, {"a"}, model_.watches[1].model.token);
  ASSERT_TRUE(session.ReadUntil([&] { return At(1) == Seq(2); }));
  EXPECT_EQ(model_.watches[1].model.ends, 1);
  EXPECT_EQ(model_.watches[1].model.rows, rows_);
}

}  // namespace
}  // namespace tidegate
