#include "gateway/grpc/session_requests.h"

#include "gateway/core/session_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tidegate/v1/view_service.pb.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SessionRequestsTest : public testing::Test {
 protected:
  ~SessionRequestsTest() override {
    EXPECT_EQ(world_.client.FirstViolation(), "");
  }
  v1::SubscribeRequest* Watch(uint32_t id) {
    world_.client.Expect(id);
    request_.Clear();
    request_.mutable_watch()->set_id(id);
    request_.mutable_watch()->mutable_subscribe()->set_view("things");
    return request_.mutable_watch()->mutable_subscribe();
  }
  v1::SessionRequest::Keys* Keys(uint32_t id, uint64_t number) {
    request_.Clear();
    request_.set_request(number);
    request_.mutable_keys()->set_id(id);
    return request_.mutable_keys();
  }
  void Send() {
    const absl::Status status = requests_.Apply(
        request_.SerializeAsString(), /*own=*/nullptr, world_.session.get());
    EXPECT_TRUE(status.ok()) << status;
    world_.Run();
  }
  SessionModel::WatchModel& Client(uint32_t id) {
    return world_.client.watches.at(id);
  }

  SessionWorld world_;
  SessionRequests requests_{&world_.hub, &world_.stats};
  v1::SessionRequest request_;
};

TEST_F(SessionRequestsTest, WatchesKeysAndTheirEnd) {
  world_.Put("a", "1");
  world_.Put("b", "1");
  Watch(1)->add_keys(TestKeyMessage("a"));
  Send();
  Watch(2);
  Send();
  EXPECT_EQ(world_.model(1).rows.size(), 1u);
  EXPECT_EQ(world_.model(2).rows.size(), 2u);
  v1::SessionRequest::Keys* const keys = Keys(1, 17);
  keys->add_add(TestKeyMessage("b"));
  keys->add_remove(TestKeyMessage("a"));
  Send();
  EXPECT_THAT(Client(1).applied, ElementsAre(17));
  EXPECT_EQ(world_.model(1).rows.count(TestKey("b")), 1u);
  request_.Clear();
  request_.set_unwatch(1);
  Send();
  EXPECT_EQ(world_.registry.watches.size(), 1u);
  const std::string token = world_.model(2).token;
  request_.Clear();
  request_.set_unwatch(2);
  Send();
  world_.Put("c", "1");
  world_.model(2).Disconnected();
  Watch(2)->set_resume_token(token);
  Send();
  EXPECT_EQ(world_.model(2).rows.size(), 3u);
  EXPECT_EQ(world_.model(2).ends, 1);
}

TEST_F(SessionRequestsTest, WhatIsWrongWithAWatchIsToldInItsFailure) {
  Watch(1)->set_view("thinks");
  Send();
  EXPECT_EQ(Client(1).failure, 5);
  EXPECT_THAT(Client(1).failure_message, HasSubstr("did you mean \"things\""));
  Watch(2)->set_where("v = ");
  Send();
  EXPECT_EQ(Client(2).failure, 3);
  EXPECT_THAT(Client(2).failure_message, HasSubstr("where: 1:"));
  Watch(3)->add_keys("\x08");
  Send();
  EXPECT_EQ(Client(3).failure, 3);
  EXPECT_THAT(Client(3).failure_message, HasSubstr("key 0 of view"));
  Watch(4)->set_resume_token("nonsense");
  Send();
  EXPECT_EQ(Client(4).failure, 3);
  v1::SubscribeRequest* const both = Watch(5);
  both->add_keys(TestKeyMessage("a"));
  both->set_key_prefix(TestKeyMessage("a"));
  Send();
  EXPECT_THAT(Client(5).failure_message, HasSubstr("exclude each other"));
  Watch(6)->mutable_min_interval()->set_seconds(-1);
  Send();
  EXPECT_THAT(Client(6).failure_message, HasSubstr("min_interval out of"));
  Watch(7)->set_key_prefix("\x08");
  Send();
  EXPECT_THAT(Client(7).failure_message, HasSubstr("key_prefix of view"));
  Watch(8);
  Send();
  Keys(8, 1)->add_add(TestKeyMessage("a"));
  Send();
  EXPECT_THAT(Client(8).failure_message, HasSubstr("has no keys"));
  Watch(9)->add_keys(TestKeyMessage("a"));
  Send();
  Keys(9, 1)->add_remove("\x08");
  Send();
  EXPECT_EQ(Client(9).failure, 3);
  world_.client.Expect(10);
  Keys(10, 1)->add_add(TestKeyMessage("a"));
  Send();
  EXPECT_EQ(Client(10).failure, 5);
  EXPECT_TRUE(world_.registry.watches.empty());
}

TEST_F(SessionRequestsTest, AViewThatIsNotServedNow) {
  world_.pipeline->SetStatus(absl::UnavailableError("tables are being read"));
  Watch(1);
  Send();
  EXPECT_EQ(Client(1).failure, 14);
  EXPECT_THAT(Client(1).failure_message, HasSubstr("tables are being read"));
}

class StoreInABuild : public FakeStore {
 public:
  bool EndBuild(int /*timeout_ms*/) override { return false; }
};

// A build's positions cannot be continued.
TEST_F(SessionRequestsTest, AWatchWaitsForTheEndOfABuild) {
  StoreInABuild store;
  ServedPipeline pipeline("default", &world_.catalog, &store);
  pipeline.SetStatus(absl::OkStatus());
  ViewHub hub;
  hub.Add(&pipeline);
  Watch(1);
  ASSERT_TRUE(
      SessionRequests(&hub, &world_.stats)
          .Apply(request_.SerializeAsString(), nullptr, world_.session.get())
          .ok());
  world_.Run();
  EXPECT_EQ(Client(1).failure, 14);
  EXPECT_THAT(Client(1).failure_message, HasSubstr("being built"));
}

TEST_F(SessionRequestsTest, InAViewsOwnSessionRequestsNameNoView) {
  world_.Put("a", "1");
  const ViewHub::View* const own = world_.hub.Find("things");
  const auto send = [&](uint32_t id, const char* view) {
    Watch(id)->set_view(view);
    ASSERT_TRUE(
        requests_.Apply(request_.SerializeAsString(), own, world_.session.get())
            .ok());
    world_.Run();
  };
  send(1, "");
  EXPECT_EQ(world_.model(1).rows.size(), 1u);
  send(2, "things");
  EXPECT_EQ(world_.model(2).rows.size(), 1u);
  send(3, "others");
  EXPECT_EQ(Client(3).failure, 3);
  EXPECT_THAT(Client(3).failure_message,
              HasSubstr("tidegate.views.Things serves \"things\" alone"));
}

TEST_F(SessionRequestsTest, WhatNoWatchCanBeBlamedForEndsTheSession) {
  EXPECT_EQ(requests_.Apply("\xff", nullptr, world_.session.get()).code(),
            absl::StatusCode::kInvalidArgument);
  request_.set_request(3);
  const absl::Status status = requests_.Apply(request_.SerializeAsString(),
                                              nullptr, world_.session.get());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("SessionRequest 3 without"));
}

TEST_F(SessionRequestsTest, AWatchHasFilterIntervalAndSkipsItsSnapshot) {
  world_.Put("a", "yes");
  v1::SubscribeRequest* const watch = Watch(1);
  watch->set_where("v = 'yes'");
  watch->mutable_min_interval()->set_nanos(200'000'000);
  watch->set_skip_snapshot(true);
  Send();
  EXPECT_TRUE(world_.model(1).rows.empty());
  world_.Put("b", "yes");
  world_.Put("c", "no");
  world_.Run();
  EXPECT_TRUE(world_.model(1).rows.empty());
  world_.Pass(200);
  world_.Run();
  EXPECT_EQ(world_.model(1).rows.count(TestKey("b")), 1u);
  EXPECT_EQ(world_.model(1).rows.size(), 1u);
}

}  // namespace
}  // namespace tidegate
