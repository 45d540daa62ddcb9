#include "clients/cpp/subscriber.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::client {
namespace {

using Kind = Event::Kind;
using ::testing::ElementsAre;
using v1::SubscribeRequest;
using v1::SubscribeResponse;
using Writer = grpc::ServerWriter<SubscribeResponse>;

// Plays one script per stream, in order; streams beyond the last wait for
// their client to go.
class ScriptedServer : public v1::ViewService::Service {
 public:
  using Script = std::function<grpc::Status(grpc::ServerContext*, Writer*)>;

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

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> tokens() {
    MutexLock lock(&mutex_);
    return tokens_;
  }
  SubscribeRequest last_request() {
    MutexLock lock(&mutex_);
    return last_request_;
  }

  grpc::Status Subscribe(grpc::ServerContext* context,
                         const SubscribeRequest* request,
                         Writer* writer) override {
    Script script;
    {
      MutexLock lock(&mutex_);
      const size_t stream = tokens_.size();
      tokens_.push_back(request->resume_token());
      last_request_ = *request;
      if (stream < scripts_.size()) script = scripts_[stream];
    }
    if (script == nullptr) {
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "script is over");
    }
    return script(context, writer);
  }

 private:
  const std::vector<Script> scripts_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  std::vector<std::string> tokens_ ABSL_GUARDED_BY(mutex_);
  SubscribeRequest last_request_ ABSL_GUARDED_BY(mutex_);
};

SubscribeResponse End(uint64_t seq) {
  SubscribeResponse response;
  response.mutable_position()->set_incarnation("i1");
  response.mutable_position()->add_partitions()->set_seq(seq);
  response.set_snapshot_end(true);
  response.set_resume_token("t" + std::to_string(seq));
  return response;
}

SubscribeResponse Delta(uint64_t from, uint64_t to) {
  SubscribeResponse response;
  v1::Range* range = response.add_ranges();
  range->set_from(from);
  range->set_to(to);
  response.set_resume_token("t" + std::to_string(to));
  return response;
}

grpc::Status Cut() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
}

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
  ScriptedServer server({[](auto*, Writer* writer) {
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
  ScriptedServer server({[](auto*, Writer* writer) {
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
  ScriptedServer server(
      {[](auto*, Writer* writer) {
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
  EXPECT_EQ(outcome.events[3].retry_after_ms, 77);
}

TEST(SubscriberTest, AppliesAReset) {
  ScriptedServer server({[](auto*, Writer* writer) {
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
  ScriptedServer server({[](auto*, Writer* writer) {
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
  ScriptedServer server({cut, cut, cut, cut, cut, cut});
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
  ScriptedServer server({wait, resumed});
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
  ScriptedServer server({});
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

TEST(BackoffTest, DoublesWithinItsLimitsAndJitters) {
  SubscriberOptions options;
  options.min_backoff_ms = 100;
  options.max_backoff_ms = 1000;
  for (const auto& [failures, whole] : std::vector<std::pair<int, int64_t>>{
           {1, 100}, {2, 200}, {4, 800}, {5, 1000}, {1'000'000, 1000}}) {
    EXPECT_EQ(
        BackoffMs(options.min_backoff_ms, options.max_backoff_ms, failures, 0),
        whole / 2 + 1);
    EXPECT_EQ(BackoffMs(options.min_backoff_ms, options.max_backoff_ms,
                        failures, static_cast<uint64_t>(whole / 2 - 1)),
              whole);
  }
}

}  // namespace
}  // namespace tidegate::client
