#include "clients/cpp/tidegate_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_join.h"
#include "clients/cpp/totals_testing.h"

namespace tidegate::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::chrono::milliseconds kLong{60'000};

grpc::Status Over() {
  return grpc::Status(grpc::StatusCode::NOT_FOUND, "over");
}

// Sends a snapshot, then waits for its client to go.
grpc::Status LiveUntilItGoes(grpc::ServerContext* context,
                             SubscribeWriter* writer) {
  writer->Write(SnapshotOf(1, 10));
  writer->Write(End(5));
  while (!context->IsCancelled()) std::this_thread::yield();
  return Cut();
}

std::unique_ptr<Client> Connect(const std::string& server) {
  ClientOptions options;
  options.server = server;
  QuickBackoff(&options);
  auto client = Client::Create(options);
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

SubscribeOptions Totals() {
  SubscribeOptions options;
  options.view = "driver_totals";
  return options;
}

TEST(ClientTest, BadOptionsAreToldAtOnce) {
  EXPECT_EQ(Client::Create({}).status().code(),
            absl::StatusCode::kInvalidArgument);
  ClientOptions options;
  options.server = "127.0.0.1:1";
  options.tls.emplace();
  options.tls->cert_file = "/nonexistent/cert.pem";
  EXPECT_THAT(Client::Create(options).status().message(),
              HasSubstr("cannot read /nonexistent/cert.pem"));
}

TEST(ClientTest, HandlersSeeTheMirrorAsOfTheirCommit) {
  ScriptedServer server(SubscribeScripts{[](auto*, SubscribeWriter* writer) {
    writer->Write(SnapshotOf(1, 10));
    writer->Write(End(5));
    writer->Write(With(With(Delta(5, 6), 2, 20), 1, 11));
    writer->Write(Delta(6, 7));
    return Over();
  }});
  server.Describe(DescribeTotals());
  const auto client = Connect(server.address());
  std::vector<std::string> told;
  const Mirror* mirror = nullptr;
  Mutex mutex;
  Handlers handlers;
  handlers.on_change = [&](const RowChange&) {
    MutexLock lock(&mutex);
    told.push_back("change " + absl::StrJoin(TextOf(mirror->Read()), " "));
    return absl::OkStatus();
  };
  handlers.on_event = [&](const Event& event) {
    MutexLock lock(&mutex);
    const char* const names[] = {"connected", "snapshot", "snapshot_end",
                                 "changes"};
    told.emplace_back(names[static_cast<int>(event.kind)]);
    return absl::OkStatus();
  };
  std::unique_ptr<Subscription> subscription;
  {
    MutexLock lock(&mutex);  // until `mirror` is known
    subscription = client->Subscribe(Totals(), handlers);
    mirror = &subscription->rows();
  }
  EXPECT_EQ(subscription->Wait().message(), "over");
  EXPECT_THAT(told, ElementsAre("connected", "snapshot", "change 1=10",
                                "snapshot_end", "change 1=11 2=20",
                                "change 1=11 2=20", "changes", "changes"));
  EXPECT_EQ(mirror->state(), MirrorState::kEnded);
  EXPECT_EQ(mirror->WaitUntilLive(kLong).message(), "over");
}

TEST(ClientTest, TheTypesAreAskedForUntilAServerTells) {
  ScriptedServer server(SubscribeScripts{LiveUntilItGoes});
  server.Describe(DescribeTotals(), /*failures=*/3);
  const auto client = Connect(server.address());
  const auto subscription = client->Subscribe(Totals());
  EXPECT_TRUE(subscription->rows().WaitUntilLive(kLong).ok());
  EXPECT_THAT(TextOf(subscription->rows().Read()), ElementsAre("1=10"));
}

TEST(ClientTest, ResumesAfterACut) {
  const auto goes_on = [](grpc::ServerContext* context,
                          SubscribeWriter* writer) {
    writer->Write(With(Delta(5, 8), 1, 12));
    while (!context->IsCancelled()) std::this_thread::yield();
    return Cut();
  };
  ScriptedServer server(SubscribeScripts{LiveUntilItGoes, goes_on});
  server.Describe(DescribeTotals());
  const auto client = Connect(server.address());
  const auto subscription = client->Subscribe(Totals());
  ASSERT_TRUE(subscription->rows().WaitUntilLive(kLong).ok());
  subscription->Disconnect();
  EXPECT_TRUE(subscription->rows().WaitUntilAt({"i1", {{0, 8}}}, kLong).ok());
  EXPECT_THAT(TextOf(subscription->rows().Read()), ElementsAre("1=12"));
  EXPECT_THAT(server.tokens(), ElementsAre("", "t5"));
  subscription->Stop();
  EXPECT_TRUE(subscription->Wait().ok());
  EXPECT_EQ(subscription->rows().state(), MirrorState::kEnded);
}

TEST(ClientTest, AHandlersErrorAndAFullMirrorEndIt) {
  ScriptedServer server(SubscribeScripts{LiveUntilItGoes, LiveUntilItGoes});
  server.Describe(DescribeTotals());
  const auto client = Connect(server.address());
  Handlers handlers;
  handlers.on_change = [](const RowChange&) {
    return absl::InternalError("enough");
  };
  EXPECT_EQ(client->Subscribe(Totals(), handlers)->Wait(),
            absl::InternalError("enough"));
  SubscribeOptions small = Totals();
  small.limits.max_rows = 0;
  EXPECT_EQ(client->Subscribe(small)->Wait().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(ClientTest, AGapAndAMalformedRowAreToldAsBroken) {
  ScriptedServer server(
      SubscribeScripts{[](auto*, SubscribeWriter* writer) {
                         writer->Write(End(5));
                         writer->Write(Delta(6, 7));
                         return Cut();
                       },
                       [](auto*, SubscribeWriter* writer) {
                         v1::SubscribeResponse row = SnapshotOf(1, 1);
                         row.mutable_changes(0)->set_upsert("\xff");
                         writer->Write(row);
                         return Cut();
                       }});
  server.Describe(DescribeTotals());
  const auto client = Connect(server.address());
  for (const char* what : {"does not continue", "malformed"}) {
    std::string broken;
    Handlers handlers;
    handlers.on_event = [&](const Event& event) {
      if (event.kind == Event::Kind::kBroken) broken = event.detail;
      return absl::OkStatus();
    };
    const absl::Status status = client->Subscribe(Totals(), handlers)->Wait();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(broken, HasSubstr(what));
    EXPECT_EQ(status.message(), broken);
  }
}

// With nobody there, nor anybody who tells the types.
TEST(ClientTest, StopsWhileItWaits) {
  const int gone = ScriptedServer(SubscribeScripts{}).port();
  const auto client = Connect(absl::StrCat("127.0.0.1:", gone));
  const auto alone = client->Subscribe(Totals());
  ScriptedServer silent(SubscribeScripts{LiveUntilItGoes});
  silent.Describe(DescribeTotals(), /*failures=*/1'000'000);
  const auto untold = Connect(silent.address())->Subscribe(Totals());
  EXPECT_EQ(alone->rows().WaitUntilLive(std::chrono::milliseconds(1)).code(),
            absl::StatusCode::kDeadlineExceeded);
  untold->Stop();
  EXPECT_TRUE(untold->Wait().ok());
}

TEST(ClientTest, WhatTheServerRefusesWaitsForNothing) {
  ScriptedServer server(SubscribeScripts{[](auto*, SubscribeWriter*) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no such column");
  }});
  const auto client = Connect(server.address());
  const auto subscription = client->Subscribe(Totals());
  EXPECT_EQ(subscription->rows().WaitUntilLive(kLong),
            absl::InvalidArgumentError("no such column"));
}

}  // namespace
}  // namespace tidegate::client
