#include "clients/cpp/session_client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cpp/server_testing.h"

namespace tidegate::client {
namespace {

using Kind = SessionEvent::Kind;
using ::testing::ElementsAre;
using v1::SessionResponse;
using Stream = SessionStream;

std::unique_ptr<SessionClient> MakeClient(const ScriptedServer& server) {
  SessionClientOptions options;
  options.server = server.address();
  options.min_backoff_ms = 1;
  options.max_backoff_ms = 2;
  return SessionClient::Create(options);
}

WatchOptions Keyed(std::vector<std::string> keys) {
  WatchOptions options;
  options.view = "v";
  options.keys = std::move(keys);
  options.keyed = true;
  return options;
}

// "1 snapshot_end", "1 applied 3", "2 failed", "drain", "disconnected".
std::string Text(const SessionEvent& event) {
  switch (event.kind) {
    case Kind::kKeysApplied:
      return absl::StrCat(event.watch, " applied ", event.request);
    case Kind::kFailed:
      return absl::StrCat(event.watch, " failed");
    case Kind::kSession:
      return event.event.kind == Event::Kind::kDrain ? "drain" : "disconnected";
    case Kind::kStream:
      break;
  }
  const char* const names[] = {"connected",    "snapshot", "snapshot_end",
                               "changes",      "reset",    "drain",
                               "disconnected", "broken"};
  return absl::StrCat(event.watch, " ",
                      names[static_cast<int>(event.event.kind)]);
}

TEST(SessionClientTest, ResumesEachWatchByItsTokenWithTheKeysApplied) {
  std::vector<std::string> asked;
  ScriptedServer server(SessionScripts{[&](auto*, Stream* stream) {
                                         for (int i = 0; i < 2; ++i)
                                           asked.push_back(Asked(stream));
                                         SendUpdate(stream, 1, End(5));
                                         SendUpdate(stream, 2, End(5));
                                         for (int i = 0; i < 2; ++i)
                                           asked.push_back(Asked(stream));
                                         SendUpdate(stream, 1, Delta(5, 7), 1);
                                         return Cut();
                                       },
                                       [&](auto*, Stream* stream) {
                                         for (int i = 0; i < 3; ++i)
                                           asked.push_back(Asked(stream));
                                         SendUpdate(stream, 1, Delta(7, 9), 2);
                                         SendUpdate(stream, 2, Delta(5, 9));
                                         return Cut();
                                       }});
  const auto client = MakeClient(server);
  client->AddWatch(Keyed({"a"}));
  WatchOptions whole;
  whole.view = "w";
  whole.where = "x > 1";
  client->AddWatch(whole);
  std::vector<std::string> events;
  const absl::Status status = client->Run([&](const SessionEvent& event) {
    events.push_back(Text(event));
    if (events.back() == "1 snapshot_end") {
      EXPECT_EQ(client->ChangeKeys(1, {"b", "c"}, {"a"}).value(), 1u);
      EXPECT_EQ(client->ChangeKeys(1, {"d"}, {}).value(), 2u);
    }
    return true;
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(asked,
              ElementsAre("watch 1 v a token=", "watch 2 w where x > 1 token=",
                          "keys 1 r1 +b +c -a", "keys 1 r2 +d",
                          "watch 1 v b c token=t7", "keys 1 r2 +d",
                          "watch 2 w where x > 1 token=t5"));
  EXPECT_THAT(events, ElementsAre("1 connected", "1 snapshot_end",
                                  "2 connected", "2 snapshot_end", "1 changes",
                                  "1 applied 1", "disconnected", "1 connected",
                                  "1 changes", "1 applied 2", "2 connected",
                                  "2 changes", "disconnected"));
}

TEST(SessionClientTest, AWatchThatStartsWithoutKeys) {
  std::vector<std::string> asked;
  ScriptedServer server(SessionScripts{[&](auto*, Stream* stream) {
    asked.push_back(Asked(stream));
    SendUpdate(stream, 1, End(5));
    return Cut();
  }});
  const auto client = MakeClient(server);
  const uint32_t watch = client->AddWatch(Keyed({}));
  EXPECT_TRUE(client->ChangeKeys(watch, {"a"}, {}).ok());
  std::vector<std::string> events;
  const absl::Status status = client->Run([&](const SessionEvent& event) {
    events.push_back(Text(event));
    return true;
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(asked, ElementsAre("watch 1 v a token="));
  EXPECT_THAT(events, ElementsAre("1 connected", "1 snapshot_end",
                                  "1 applied 1", "disconnected"));
}

TEST(SessionClientTest, AFailureEndsOneWatchUnlessItPasses) {
  std::vector<std::string> asked;
  ScriptedServer server(SessionScripts{[&](auto*, Stream* stream) {
    for (int i = 0; i < 3; ++i) asked.push_back(Asked(stream));
    SendFailure(stream, 1, grpc::StatusCode::INVALID_ARGUMENT);
    SendFailure(stream, 2, grpc::StatusCode::UNAVAILABLE);
    asked.push_back(Asked(stream));
    SendUpdate(stream, 4, End(3));
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "over");
  }});
  const auto client = MakeClient(server);
  for (const char* key : {"a", "b", "c"}) client->AddWatch(Keyed({key}));
  std::vector<std::string> events;
  const absl::Status status = client->Run([&](const SessionEvent& event) {
    events.push_back(Text(event));
    return true;
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(asked.back(), "watch 4 v b token=");
  EXPECT_THAT(events, ElementsAre("1 failed", "2 disconnected", "2 connected",
                                  "2 snapshot_end"));
}

TEST(SessionClientTest, AGapInOneWatchEndsItWithAnErrorEvent) {
  ScriptedServer server(
      SessionScripts{[](grpc::ServerContext*, Stream* stream) {
        Asked(stream);
        SendUpdate(stream, 1, End(5));
        SendUpdate(stream, 1, Delta(6, 7));
        return Cut();
      }});
  const auto client = MakeClient(server);
  client->AddWatch(Keyed({"a"}));
  std::vector<std::string> events;
  const absl::Status status = client->Run([&](const SessionEvent& event) {
    events.push_back(Text(event));
    return true;
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(events.back(), "1 broken");
}

TEST(SessionClientTest, KeysAppliedOutOfTurnBreakThePromise) {
  ScriptedServer server(
      SessionScripts{[](grpc::ServerContext*, Stream* stream) {
        Asked(stream);
        SendUpdate(stream, 1, End(5), 9);
        return Cut();
      }});
  const auto client = MakeClient(server);
  client->AddWatch(Keyed({"a"}));
  EXPECT_EQ(client->Run([](const SessionEvent&) { return true; }).code(),
            absl::StatusCode::kDataLoss);
}

TEST(SessionClientTest, ObeysADrainAndStops) {
  ScriptedServer server(SessionScripts{
      [](grpc::ServerContext*, Stream* stream) {
        Asked(stream);
        SendUpdate(stream, 1, End(5));
        SessionResponse drain;
        drain.mutable_drain()->mutable_retry_after()->set_nanos(7'000'000);
        stream->Write(drain);
        return Cut();
      },
      [](grpc::ServerContext* context, Stream* stream) {
        Asked(stream);
        SendUpdate(stream, 1, Delta(5, 6));
        while (!context->IsCancelled()) {
          std::this_thread::yield();
        }
        return Cut();
      }});
  const auto client = MakeClient(server);
  client->AddWatch(Keyed({"a"}));
  int64_t retry_after_ms = 0;
  std::thread stopper;
  const absl::Status status = client->Run([&](const SessionEvent& event) {
    if (Text(event) == "disconnected") {
      retry_after_ms = event.event.retry_after_ms;
    }
    if (Text(event) == "1 changes") {
      stopper = std::thread([&] { client->Stop(); });
    }
    return true;
  });
  stopper.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_GE(retry_after_ms, 7);
  EXPECT_LE(retry_after_ms, 8);
}

}  // namespace
}  // namespace tidegate::client
