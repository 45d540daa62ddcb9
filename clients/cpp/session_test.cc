#include "clients/cpp/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "clients/cpp/tidegate_client.h"
#include "clients/cpp/totals_testing.h"

namespace tidegate::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::chrono::milliseconds kLong{60'000};

std::string Bytes(int64_t driver) {
  return TotalsKey(driver).SerializeAsString();
}

void WaitUntilItGoes(grpc::ServerContext* context) {
  while (!context->IsCancelled()) std::this_thread::yield();
}

class SessionTest : public ::testing::Test {
 protected:
  void Serve(SessionScripts scripts) {
    server_ = std::make_unique<ScriptedServer>(std::move(scripts));
    server_->Describe(DescribeTotals());
    ClientOptions options;
    options.server = server_->address();
    QuickBackoff(&options);
    auto client = Client::Create(options);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    session_ = client_->OpenSession();
  }
  static SubscribeOptions Keyed(const std::vector<int64_t>& drivers) {
    SubscribeOptions options;
    options.view = "driver_totals";
    options.keyed = true;
    for (const int64_t driver : drivers) options.keys.push_back(Bytes(driver));
    return options;
  }

  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Session> session_;
};

TEST_F(SessionTest, KeysComeAndGoAndTheMirrorFollows) {
  Serve({[](grpc::ServerContext* context, SessionStream* stream) {
    Asked(stream);
    SendUpdate(stream, 1, SnapshotOf(1, 10));
    SendUpdate(stream, 1, SnapshotOf(2, 20));
    SendUpdate(stream, 1, End(5));
    Asked(stream);
    SendUpdate(stream, 1, With(With(Delta(5, 5), 3, 30), 4, -1), 1);
    WaitUntilItGoes(context);
    return Cut();
  }});
  const auto watch = session_->AddWatch(Keyed({1, 2}));
  EXPECT_EQ(watch->number(), 1u);
  ASSERT_TRUE(watch->rows().WaitUntilLive(kLong).ok());
  EXPECT_THAT(TextOf(watch->rows().Read()), ElementsAre("1=10", "2=20"));
  // 2 goes and comes in one request: its row stays.
  const auto request =
      watch->ChangeKeys({Bytes(2), Bytes(3), Bytes(4)}, {Bytes(1), Bytes(2)});
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_TRUE(watch->WaitForKeys(*request, kLong).ok());
  EXPECT_THAT(TextOf(watch->rows().Read()), ElementsAre("2=20", "3=30"));
}

TEST_F(SessionTest, AWatchMayStartWithoutKeys) {
  Serve({[](grpc::ServerContext* context, SessionStream* stream) {
    Asked(stream);
    SendUpdate(stream, 1, SnapshotOf(1, 10));
    SendUpdate(stream, 1, End(5));
    WaitUntilItGoes(context);
    return Cut();
  }});
  const auto watch = session_->AddWatch(Keyed({}));
  EXPECT_EQ(watch->rows().state(), MirrorState::kLoading);
  ASSERT_TRUE(watch->ChangeKeys({Bytes(1)}, {}).ok());
  ASSERT_TRUE(watch->WaitForKeys(1, kLong).ok());
  EXPECT_THAT(TextOf(watch->rows().Read()), ElementsAre("1=10"));
}

TEST_F(SessionTest, EveryWatchIsToldOfADrainWithItsOwnToken) {
  Serve({[](grpc::ServerContext*, SessionStream* stream) {
           for (int i = 0; i < 2; ++i) Asked(stream);
           SendUpdate(stream, 1, End(5));
           SendUpdate(stream, 2, End(6));
           SendUpdate(stream, 1, Delta(5, 7));
           v1::SessionResponse drain;
           drain.mutable_drain()->mutable_retry_after()->set_nanos(2'000'000);
           stream->Write(drain);
           return Cut();
         },
         [](grpc::ServerContext*, SessionStream* stream) {
           for (int i = 0; i < 2; ++i) Asked(stream);
           SendUpdate(stream, 2, Delta(6, 8));
           return grpc::Status(grpc::StatusCode::NOT_FOUND, "over");
         }});
  std::vector<std::string> told;
  const auto tell = [&told](const std::string& name) {
    Handlers handlers;
    handlers.on_event = [&told, name](const Event& event) {
      const char* const names[] = {"connected",    "snapshot", "snapshot_end",
                                   "changes",      "reset",    "drain",
                                   "disconnected", "broken"};
      told.push_back(absl::StrCat(
          name, " ", names[static_cast<int>(event.kind)], " ", event.token));
      return absl::OkStatus();
    };
    handlers.on_end = [&told, name](const absl::Status& why) {
      told.push_back(absl::StrCat(name, " ", why.message()));
    };
    return handlers;
  };
  const auto a = session_->AddWatch(Keyed({1}), tell("a"));
  const auto b = session_->AddWatch(Keyed({2}), tell("b"));
  EXPECT_EQ(session_->Wait().message(), "over");
  EXPECT_THAT(
      told, ElementsAre("a connected ", "a snapshot_end t5", "b connected ",
                        "b snapshot_end t6", "a changes t7", "a drain t7",
                        "b drain t6", "a disconnected ", "b disconnected ",
                        "b connected t6", "b changes t8", "a over", "b over"));
}

TEST_F(SessionTest, AWatchThatEndsLeavesTheOthers) {
  Serve({[](grpc::ServerContext* context, SessionStream* stream) {
    for (int i = 0; i < 3; ++i) Asked(stream);
    SendFailure(stream, 1, grpc::StatusCode::INVALID_ARGUMENT);
    SendUpdate(stream, 2, SnapshotOf(2, 20));
    SendUpdate(stream, 3, SnapshotOf(3, 30));
    SendUpdate(stream, 3, End(5));
    WaitUntilItGoes(context);
    return Cut();
  }});
  const auto refused = session_->AddWatch(Keyed({1}));
  SubscribeOptions small = Keyed({2});
  small.limits.max_rows = 0;
  const auto full = session_->AddWatch(small);
  const auto fine = session_->AddWatch(Keyed({3}));
  EXPECT_TRUE(fine->rows().WaitUntilLive(kLong).ok());
  EXPECT_EQ(refused->rows().WaitUntilLive(kLong),
            absl::InvalidArgumentError("no"));
  EXPECT_EQ(full->rows().WaitUntilLive(kLong).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(full->ChangeKeys({Bytes(7)}, {}).status().code(),
            absl::StatusCode::kNotFound);
  session_->Stop();
  EXPECT_TRUE(session_->Wait().ok());
  EXPECT_EQ(fine->rows().state(), MirrorState::kEnded);
  // What comes after the end has ended.
  EXPECT_EQ(session_->AddWatch(Keyed({4}))->rows().state(),
            MirrorState::kEnded);
}

TEST_F(SessionTest, OfAWatchGivenUpNothingIsTold) {
  std::vector<std::string> asked;
  Serve({[&](grpc::ServerContext*, SessionStream* stream) {
    for (int i = 0; i < 2; ++i) asked.push_back(Asked(stream));
    SendUpdate(stream, 1, End(5));
    asked.push_back(Asked(stream));
    SendUpdate(stream, 1, Delta(5, 6));
    SendUpdate(stream, 2, End(6));
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "over");
  }});
  std::unique_ptr<Watch> given_up;
  Mutex mutex;
  int told = 0;
  Handlers handlers;
  handlers.on_event = [&](const Event& event) {
    ++told;
    MutexLock lock(&mutex);
    if (event.kind == Event::Kind::kSnapshotEnd) given_up.reset();
    return absl::OkStatus();
  };
  handlers.on_end = [&](const absl::Status&) { ++told; };
  {
    MutexLock lock(&mutex);
    given_up = session_->AddWatch(Keyed({1}), handlers);
  }
  const auto other = session_->AddWatch(Keyed({2}));
  EXPECT_EQ(session_->Wait().message(), "over");
  EXPECT_EQ(told, 2);
  EXPECT_THAT(asked.back(), HasSubstr("unwatch 1"));
}

}  // namespace
}  // namespace tidegate::client
