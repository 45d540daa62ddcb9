#include "clients/cpp/session_client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::client {
namespace {

using Kind = SessionEvent::Kind;
using ::testing::ElementsAre;
using v1::SessionRequest;
using v1::SessionResponse;
using v1::SubscribeResponse;
using Stream = grpc::ServerReaderWriter<SessionResponse, SessionRequest>;

// Plays one script per stream, in order; then refuses for good.
class ScriptedServer : public v1::ViewService::Service {
 public:
  using Script = std::function<grpc::Status(grpc::ServerContext*, Stream*)>;

  explicit ScriptedServer(std::vector<Script> scripts)
      : scripts_(std::move(scripts)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ScriptedServer() override {
    server_->Shutdown(std::chrono::system_clock::now());
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  grpc::Status Session(grpc::ServerContext* context, Stream* stream) override {
    Script script;
    {
      MutexLock lock(&mutex_);
      if (streams_ < scripts_.size()) script = scripts_[streams_++];
    }
    if (script == nullptr) {
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "script is over");
    }
    return script(context, stream);
  }

 private:
  const std::vector<Script> scripts_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  size_t streams_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The next request as text: "watch 1 v keys=a,b token=t5", "keys 1 r3 +c -a".
std::string Asked(Stream* stream) {
  SessionRequest request;
  if (!stream->Read(&request)) return "end";
  if (request.has_watch()) {
    const v1::SubscribeRequest& to = request.watch().subscribe();
    std::string text =
        absl::StrCat("watch ", request.watch().id(), " ", to.view());
    for (const std::string& key : to.keys()) absl::StrAppend(&text, " ", key);
    if (!to.where().empty()) absl::StrAppend(&text, " where ", to.where());
    return absl::StrCat(text, " token=", to.resume_token());
  }
  if (request.has_keys()) {
    std::string text =
        absl::StrCat("keys ", request.keys().id(), " r", request.request());
    for (const auto& key : request.keys().add())
      absl::StrAppend(&text, " +", key);
    for (const auto& key : request.keys().remove()) {
      absl::StrAppend(&text, " -", key);
    }
    return text;
  }
  return absl::StrCat("unwatch ", request.unwatch());
}

SubscribeResponse End(uint64_t seq) {
  SubscribeResponse response;
  response.mutable_position()->set_incarnation("i1");
  response.mutable_position()->add_partitions()->set_seq(seq);
  response.set_snapshot_end(true);
  response.set_resume_token(absl::StrCat("t", seq));
  return response;
}

SubscribeResponse Delta(uint64_t from, uint64_t to) {
  SubscribeResponse response;
  response.add_ranges()->set_from(from);
  response.mutable_ranges(0)->set_to(to);
  response.set_resume_token(absl::StrCat("t", to));
  return response;
}

void Send(Stream* stream, uint32_t id, const SubscribeResponse& response,
          uint64_t applied = 0) {
  SessionResponse out;
  SessionResponse::Update* const update = out.add_updates();
  update->set_id(id);
  *update->mutable_response() = response;
  update->set_keys_applied(applied);
  stream->Write(out);
}

void Fail(Stream* stream, uint32_t id, grpc::StatusCode code) {
  SessionResponse out;
  SessionResponse::Update* const update = out.add_updates();
  update->set_id(id);
  update->mutable_failure()->set_code(code);
  update->mutable_failure()->set_message("no");
  stream->Write(out);
}

grpc::Status Cut() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
}

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
  ScriptedServer server({[&](auto*, Stream* stream) {
                           for (int i = 0; i < 2; ++i)
                             asked.push_back(Asked(stream));
                           Send(stream, 1, End(5));
                           Send(stream, 2, End(5));
                           for (int i = 0; i < 2; ++i)
                             asked.push_back(Asked(stream));
                           Send(stream, 1, Delta(5, 7), 1);
                           return Cut();
                         },
                         [&](auto*, Stream* stream) {
                           for (int i = 0; i < 3; ++i)
                             asked.push_back(Asked(stream));
                           Send(stream, 1, Delta(7, 9), 2);
                           Send(stream, 2, Delta(5, 9));
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
  ScriptedServer server({[&](auto*, Stream* stream) {
    asked.push_back(Asked(stream));
    Send(stream, 1, End(5));
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
  ScriptedServer server({[&](auto*, Stream* stream) {
    for (int i = 0; i < 3; ++i) asked.push_back(Asked(stream));
    Fail(stream, 1, grpc::StatusCode::INVALID_ARGUMENT);
    Fail(stream, 2, grpc::StatusCode::UNAVAILABLE);
    asked.push_back(Asked(stream));
    Send(stream, 4, End(3));
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
  ScriptedServer server({[](grpc::ServerContext*, Stream* stream) {
    Asked(stream);
    Send(stream, 1, End(5));
    Send(stream, 1, Delta(6, 7));
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
  ScriptedServer server({[](grpc::ServerContext*, Stream* stream) {
    Asked(stream);
    Send(stream, 1, End(5), 9);
    return Cut();
  }});
  const auto client = MakeClient(server);
  client->AddWatch(Keyed({"a"}));
  EXPECT_EQ(client->Run([](const SessionEvent&) { return true; }).code(),
            absl::StatusCode::kDataLoss);
}

TEST(SessionClientTest, ObeysADrainAndStops) {
  ScriptedServer server(
      {[](grpc::ServerContext*, Stream* stream) {
         Asked(stream);
         Send(stream, 1, End(5));
         SessionResponse drain;
         drain.mutable_drain()->mutable_retry_after()->set_nanos(7'000'000);
         stream->Write(drain);
         return Cut();
       },
       [](grpc::ServerContext* context, Stream* stream) {
         Asked(stream);
         Send(stream, 1, Delta(5, 6));
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
  EXPECT_EQ(retry_after_ms, 7);
}

}  // namespace
}  // namespace tidegate::client
