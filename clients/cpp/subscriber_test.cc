#include "clients/cpp/subscriber.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "clients/cpp/server_testing.h"

namespace tidegate::client {
namespace {

using Kind = Event::Kind;
using ::testing::ElementsAre;
using v1::SubscribeRequest;
using v1::SubscribeResponse;
using Writer = SubscribeWriter;

struct Outcome {
  absl::Status status;
  std::vector<Kind> kinds;
  std::vector<Event> events;
};

Outcome RunAgainst(ScriptedServer* server, int max_failed_attempts = 0) {
  SubscriberOptions options;
  options.server = server->address();
  options.view = "v";
  options.min_backoff_ms = 1;
  options.max_backoff_ms = 2;
  options.max_failed_attempts = max_failed_attempts;
  const auto subscriber = Subscriber::Create(options);
  Outcome outcome;
  outcome.status = subscriber->Run([&outcome](Event event) {
    outcome.kinds.push_back(event.kind);
    outcome.events.push_back(std::move(event));
    return true;
  });
  return outcome;
}

TEST(SubscriberTest, ResumesAfterACut) {
  ScriptedServer server(SubscribeScripts{[](auto*, Writer* writer) {
                                           writer->Write(End(5));
                                           writer->Write(Delta(5, 7));
                                           return Cut();
                                         },
                                         [](auto*, Writer* writer) {
                                           writer->Write(Delta(7, 9));
                                           return Cut();
                                         }});
  const Outcome outcome = RunAgainst(&server);
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(outcome.kinds,
              ElementsAre(Kind::kConnected, Kind::kSnapshotEnd, Kind::kChanges,
                          Kind::kDisconnected, Kind::kConnected, Kind::kChanges,
                          Kind::kDisconnected));
  EXPECT_THAT(server.tokens(), ElementsAre("", "t7", "t9"));
}

TEST(SubscriberTest, CutBeforeTheFirstTokenStartsOver) {
  ScriptedServer server(SubscribeScripts{[](auto*, Writer* writer) {
                                           SubscribeResponse row;
                                           row.set_snapshot(true);
                                           row.add_changes()->set_upsert("a");
                                           writer->Write(row);
                                           return Cut();
                                         },
                                         [](auto*, Writer* writer) {
                                           writer->Write(End(3));
                                           return Cut();
                                         }});
  const Outcome outcome = RunAgainst(&server);
  EXPECT_THAT(server.tokens(), ElementsAre("", "", "t3"));
  EXPECT_EQ(outcome.events[3].kind, Kind::kConnected);
  EXPECT_EQ(outcome.events[3].token, "");
}

TEST(SubscriberTest, ObeysADrain) {
  ScriptedServer server(SubscribeScripts{
      [](auto*, Writer* writer) {
        writer->Write(End(5));
        SubscribeResponse drain;
        drain.set_resume_token("d5");
        drain.mutable_drain()->mutable_retry_after()->set_nanos(77'000'000);
        writer->Write(drain);
        return Cut();
      },
      [](auto*, Writer* writer) {
        writer->Write(Delta(5, 6));
        return Cut();
      }});
  const Outcome outcome = RunAgainst(&server);
  EXPECT_THAT(server.tokens(), ElementsAre("", "d5", "t6"));
  ASSERT_EQ(outcome.events[3].kind, Kind::kDisconnected);
  EXPECT_GE(outcome.events[3].retry_after_ms, 77);
  EXPECT_LE(outcome.events[3].retry_after_ms, 77 + 19);
}

TEST(SubscriberTest, AppliesAReset) {
  ScriptedServer server(SubscribeScripts{[](auto*, Writer* writer) {
                                           writer->Write(End(5));
                                           return Cut();
                                         },
                                         [](auto*, Writer* writer) {
                                           SubscribeResponse reset;
                                           reset.mutable_reset()->set_cause(
                                               v1::Reset::UNKNOWN_INCARNATION);
                                           writer->Write(reset);
                                           writer->Write(End(2));
                                           writer->Write(Delta(2, 3));
                                           return Cut();
                                         }});
  const Outcome outcome = RunAgainst(&server);
  EXPECT_THAT(server.tokens(), ElementsAre("", "t5", "t3"));
  EXPECT_THAT(outcome.kinds, ElementsAre(Kind::kConnected, Kind::kSnapshotEnd,
                                         Kind::kDisconnected, Kind::kConnected,
                                         Kind::kReset, Kind::kSnapshotEnd,
                                         Kind::kChanges, Kind::kDisconnected));
}

TEST(SubscriberTest, AGapEndsItWithAnErrorEvent) {
  ScriptedServer server(SubscribeScripts{[](auto*, Writer* writer) {
    writer->Write(End(5));
    writer->Write(Delta(6, 7));
    return Cut();
  }});
  const Outcome outcome = RunAgainst(&server);
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(outcome.kinds.back(), Kind::kBroken);
}

TEST(SubscriberTest, GivesUpAfterTheAllowedAttempts) {
  const auto cut = [](auto*, Writer*) { return Cut(); };
  ScriptedServer server(SubscribeScripts{cut, cut, cut, cut, cut, cut});
  const Outcome outcome = RunAgainst(&server, 2);
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.tokens().size(), 3u);
}

TEST(SubscriberTest, StopAndDisconnectFromAnotherThread) {
  const auto wait = [](grpc::ServerContext* context, Writer* writer) {
    writer->Write(End(5));
    while (!context->IsCancelled()) std::this_thread::yield();
    return Cut();
  };
  const auto resumed = [](grpc::ServerContext* context, Writer* writer) {
    writer->Write(Delta(5, 6));
    while (!context->IsCancelled()) std::this_thread::yield();
    return Cut();
  };
  ScriptedServer server(SubscribeScripts{wait, resumed});
  SubscriberOptions options;
  options.server = server.address();
  options.view = "v";
  options.min_backoff_ms = 1;
  const auto subscriber = Subscriber::Create(options);
  std::vector<std::thread> threads;
  const absl::Status status = subscriber->Run([&](const Event& event) {
    if (event.kind == Kind::kSnapshotEnd) {
      threads.emplace_back([&] { subscriber->Disconnect(); });
    } else if (event.kind == Kind::kChanges) {
      threads.emplace_back([&] { subscriber->Stop(); });
    }
    return true;
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(server.tokens(), ElementsAre("", "t5"));
}

TEST(SubscriberTest, AsksForWhatItsOptionsSay) {
  ScriptedServer server(SubscribeScripts{});
  SubscriberOptions options;
  options.server = server.address();
  options.view = "v";
  options.key_prefix = "p";
  options.where = "n > 1";
  options.min_interval_ms = 2'500;
  options.progress_interval_ms = 40;
  const absl::Status status =
      Subscriber::Create(options)->Run([](const Event&) { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  const SubscribeRequest request = server.last_request();
  EXPECT_EQ(request.view(), "v");
  EXPECT_EQ(request.key_prefix(), "p");
  EXPECT_EQ(request.where(), "n > 1");
  EXPECT_EQ(request.min_interval().seconds(), 2);
  EXPECT_EQ(request.min_interval().nanos(), 500'000'000);
  EXPECT_EQ(request.progress_interval().nanos(), 40'000'000);
}

}  // namespace
}  // namespace tidegate::client
