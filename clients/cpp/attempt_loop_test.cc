#include "clients/cpp/attempt_loop.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "clients/cpp/channel.h"
#include "clients/cpp/server_testing.h"
#include "clients/cpp/subscriber.h"

namespace tidegate::client {
namespace {

using Kind = Event::Kind;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Le;

grpc::Status EndsWith7(grpc::ServerContext*, SubscribeWriter* writer) {
  writer->Write(End(7));
  return Cut();
}

SubscriberOptions OptionsFor(const std::string& server) {
  SubscriberOptions options;
  options.server = server;
  options.view = "v";
  options.min_backoff_ms = 1;
  options.max_backoff_ms = 2;
  return options;
}

// The address of a server that is gone.
int FreePort() { return ScriptedServer(SubscribeScripts{}).port(); }

std::string At(int port) { return absl::StrCat("127.0.0.1:", port); }

// The handler starts the server, so no attempt is under way meanwhile: the very
// next one must find it, however many have failed before.
TEST(AttemptLoopTest, TheNextAttemptFindsAServerThatIsBack) {
  constexpr int kFailures = 40;
  const int port = FreePort();
  std::unique_ptr<ScriptedServer> server;
  std::vector<Kind> kinds;
  const auto subscriber = Subscriber::Create(OptionsFor(At(port)));
  const absl::Status status = subscriber->Run([&](const Event& event) {
    kinds.push_back(event.kind);
    if (kinds.size() == kFailures) {
      server =
          std::make_unique<ScriptedServer>(SubscribeScripts{EndsWith7}, port);
    }
    return kinds.size() < kFailures + 2;
  });
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(kinds.size(), kFailures + 2u);
  EXPECT_THAT(std::vector<Kind>(kinds.begin(), kinds.begin() + kFailures),
              ::testing::Each(Kind::kDisconnected));
  EXPECT_EQ(kinds[kFailures], Kind::kConnected);
}

TEST(AttemptLoopTest, GoesToTheNextServerOnFailureAndOnDrain) {
  const auto drains = [](auto*, SubscribeWriter* writer) {
    writer->Write(End(5));
    v1::SubscribeResponse drain;
    drain.set_resume_token("d5");
    drain.mutable_drain()->mutable_retry_after()->set_nanos(1'000'000);
    writer->Write(drain);
    return Cut();
  };
  const auto goes_on = [](auto*, SubscribeWriter* writer) {
    writer->Write(Delta(5, 7));
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "over");
  };
  ScriptedServer first(SubscribeScripts{drains});
  ScriptedServer second(SubscribeScripts{goes_on});
  const auto subscriber = Subscriber::Create(OptionsFor(absl::StrCat(
      At(FreePort()), ", ", first.address(), ",", second.address())));
  std::vector<Kind> kinds;
  const absl::Status status = subscriber->Run([&](const Event& event) {
    kinds.push_back(event.kind);
    return true;
  });
  EXPECT_THAT(status.message(), HasSubstr("over"));
  EXPECT_THAT(kinds,
              ElementsAre(Kind::kDisconnected, Kind::kConnected,
                          Kind::kSnapshotEnd, Kind::kDrain, Kind::kDisconnected,
                          Kind::kConnected, Kind::kChanges));
  EXPECT_THAT(first.tokens(), ElementsAre(""));
  EXPECT_THAT(second.tokens(), ElementsAre("d5"));
}

TEST(AttemptLoopTest, WhatCannotBeConnectedToIsNotTriedAgain) {
  const auto outcome = [](const SubscriberOptions& options) {
    return Subscriber::Create(options)->Run([](const Event&) {
      ADD_FAILURE() << "an attempt was made";
      return false;
    });
  };
  EXPECT_EQ(outcome(OptionsFor(" , ")).message(),
            "no server to connect to is named");
  SubscriberOptions options = OptionsFor("127.0.0.1:1");
  options.tls.emplace();
  options.tls->ca_file = "/nonexistent/ca.pem";
  EXPECT_THAT(outcome(options).message(),
              HasSubstr("cannot read /nonexistent/ca.pem: No such file"));
}

TEST(AttemptLoopTest, WaitsAsLongAsARefusalSays) {
  // google.rpc.Status with a RetryInfo of 1.0025 s among its details.
  std::string delay;
  PutTag(&delay, 1, WireType::kVarint);
  PutVarint64(&delay, 1);
  PutTag(&delay, 2, WireType::kVarint);
  PutVarint64(&delay, 2'500'000);
  const auto put = [](uint32_t number, const std::string& bytes) {
    std::string field;
    PutTag(&field, number, WireType::kLengthDelimited);
    PutLengthPrefixed(&field, bytes);
    return field;
  };
  const std::string details =
      put(3, put(1, "type.googleapis.com/google.rpc.DebugInfo")) +
      put(3, put(1, "type.googleapis.com/google.rpc.RetryInfo") +
                 put(2, put(1, delay)));
  const auto refuses = [&](auto*, SubscribeWriter*) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", details);
  };
  ScriptedServer server(SubscribeScripts{refuses, refuses});
  const auto wait_ms = [&](int64_t backoff_ms) {
    SubscriberOptions options = OptionsFor(server.address());
    options.min_backoff_ms = backoff_ms;
    options.max_backoff_ms = backoff_ms;
    int64_t wait = 0;
    const absl::Status status =
        Subscriber::Create(options)->Run([&](const Event& event) {
          wait = event.retry_after_ms;
          return false;
        });
    EXPECT_TRUE(status.ok()) << status;
    return wait;
  };
  EXPECT_THAT(wait_ms(2), AllOf(Ge(1'003), Le(1'003 * 5 / 4)));
  // The backoff goes on beneath it.
  EXPECT_THAT(wait_ms(100'000), AllOf(Gt(50'000), Le(100'000)));
  for (const std::string& bad : {std::string("\xff"), put(3, "\xff"),
                                 put(3, put(1, "x/google.rpc.RetryInfo"))}) {
    EXPECT_EQ(RetryDelayMs({grpc::StatusCode::UNAVAILABLE, "", bad}), 0);
  }
}

TEST(BackoffTest, WhatTheServerAsksForIsNeverCutShortAndJitters) {
  EXPECT_EQ(AfterHintMs(200, 0), 200);
  EXPECT_EQ(AfterHintMs(200, 50), 250);
  EXPECT_EQ(AfterHintMs(200, 51), 200);
  EXPECT_EQ(AfterHintMs(0, 7), 1);
  EXPECT_EQ(AfterHintMs(std::numeric_limits<int64_t>::max(), 0), 600'000);
}

TEST(BackoffTest, DoublesWithinItsLimitsAndJitters) {
  for (const auto& [failures, whole] : std::vector<std::pair<int, int64_t>>{
           {1, 100}, {2, 200}, {4, 800}, {5, 1000}, {1'000'000, 1000}}) {
    EXPECT_EQ(BackoffMs(100, 1000, failures, 0), whole / 2 + 1);
    EXPECT_EQ(
        BackoffMs(100, 1000, failures, static_cast<uint64_t>(whole / 2 - 1)),
        whole);
  }
}

}  // namespace
}  // namespace tidegate::client
