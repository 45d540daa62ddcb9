#include "gateway/core/fan_out.h"

#include "gateway/core/fan_out_testing.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

class FanOutTest : public testing::Test, public FanOutWorld {
 protected:
  FakeClient& Add() {
    clients_.push_back(std::make_unique<FakeClient>(this));
    return *clients_.back();
  }
  // A client that is Live.
  FakeClient& AddLive(const SubscriptionSpec& spec = TestSpec()) {
    FakeClient& client = Add();
    EXPECT_TRUE(client.Open(spec).ok());
    Settle(this, {&client});
    EXPECT_EQ(client.model.position, store.head());
    return client;
  }
  ProcessingTime Turn() { return fan_out->Turn(now); }
  void SettleAll() {
    std::vector<FakeClient*> all;
    for (const auto& client : clients_) all.push_back(client.get());
    Settle(this, all);
  }
  ~FanOutTest() override {
    for (const auto& client : clients_) {
      EXPECT_EQ(client->model.violation, "");
    }
  }

  std::vector<std::unique_ptr<FakeClient>> clients_;
};

TEST_F(FanOutTest, TellsThoseWhomACommitConcernsAndNobodyElse) {
  Start();
  FakeClient& all = AddLive();
  FakeClient& a = AddLive(KeyedSpec({"a", "c"}));
  FakeClient& b = AddLive(KeyedSpec({"b"}));
  const size_t before = b.written.size();
  Put("a", "1");
  Turn();
  EXPECT_TRUE(all.in_flight.has_value());
  EXPECT_TRUE(a.in_flight.has_value());
  EXPECT_EQ(b.written.size(), before);
  SettleAll();
  EXPECT_EQ(a.model.upserts, 1);
  // What it skipped is part of its next range.
  Put("b", "1");
  SettleAll();
  EXPECT_EQ(b.model.position, Seq(2));
  EXPECT_EQ(b.model.upserts, 1);
  EXPECT_EQ(stats.pipeline("default").commits, 2u);
  EXPECT_EQ(stats.pipeline("default").changes, 2u);
}

TEST_F(FanOutTest, OneWriteAtATimeAndConflationForTheBlocked) {
  Start();
  FakeClient& fast = AddLive();
  FakeClient& slow = AddLive();
  for (int i = 0; i < 50; ++i) {
    Put("a", absl::StrCat(i));
    Settle(this, {&fast});
  }
  EXPECT_EQ(fast.model.upserts, 50);
  EXPECT_EQ(slow.model.upserts, 0);
  const auto& by_state = stats.view("things").subscribers;
  EXPECT_EQ(by_state[static_cast<size_t>(SubscriberState::kBlocked)], 1);
  SettleAll();
  EXPECT_EQ(slow.model.upserts, 2) << "the first, then the newest";
  EXPECT_EQ(slow.model.rows, fast.model.rows);
  EXPECT_EQ(slow.model.position, store.head());
}

TEST_F(FanOutTest, ProgressIsDueWithoutACommit) {
  Start();
  SubscriptionSpec spec = KeyedSpec({"a"});
  spec.progress_interval_ms = 200;
  FakeClient& client = AddLive(spec);
  Put("b", "1");
  const ProcessingTime next = Turn();
  EXPECT_FALSE(client.in_flight.has_value());
  EXPECT_EQ(next.value(), now.value() + 200'000);
  Pass(199);
  Turn();
  EXPECT_FALSE(client.in_flight.has_value());
  Pass(1);
  Turn();
  ASSERT_TRUE(client.Take());
  EXPECT_EQ(client.model.progress, 1);
  EXPECT_EQ(client.model.position, Seq(1));
  EXPECT_GT(Turn(), now);
}

TEST_F(FanOutTest, ThoseBehindTakeTurnsAndTheLiveDoNotWait) {
  for (int i = 0; i < 400; ++i) {
    Put(absl::StrCat("k", i), std::string(4'000, 'x'));
  }
  store.MoveBase();
  FanOutOptions options;
  options.catch_up_bytes_per_turn = 2 * kMaxMessageBytes;
  Start(options);
  FakeClient& live = Add();
  ASSERT_TRUE(live.Open(KeyedSpec({"live"})).ok());
  Settle(this, {&live});
  std::vector<FakeClient*> behind;
  for (int i = 0; i < 6; ++i) {
    behind.push_back(&Add());
    ASSERT_TRUE(behind.back()->Open(TestSpec()).ok());
  }
  int turns = 0;
  for (bool busy = true; busy; ++turns) {
    Put("live", absl::StrCat(turns));
    busy = Turn() <= now;
    EXPECT_TRUE(live.Take()) << "in the same turn";
    size_t most = 0;
    size_t least = SIZE_MAX;
    int sent = 0;
    for (FakeClient* client : behind) {
      if (client->Take()) ++sent;
      most = std::max(most, client->written.size());
      least = std::min(least, client->written.size());
      busy = busy || client->model.position != store.head();
    }
    // Round robin; one that gets to the head says so at once.
    EXPECT_LE(most - least, 2u);
    EXPECT_LE(sent, turns < 10 ? 2 : 6);
    ASSERT_LT(turns, 1000);
  }
  EXPECT_GT(turns, 6 * 400 * 4'000 / (3 * 64 * 1024));
  EXPECT_EQ(live.model.upserts, turns);
  EXPECT_EQ(stats.behind, 0);
}

TEST_F(FanOutTest, LimitsAreNamed) {
  FanOutOptions options;
  options.max_streams = 3;
  options.max_streams_per_peer = 2;
  Start(options);
  ASSERT_TRUE(Add().Open(TestSpec(), "", "one").ok());
  ASSERT_TRUE(Add().Open(TestSpec(), "", "one").ok());
  absl::Status status = Add().Open(TestSpec(), "", "one");
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(status.message().find("one, limit 2"), std::string::npos);
  ASSERT_TRUE(Add().Open(TestSpec(), "", "two").ok());
  status = Add().Open(TestSpec(), "", "three");
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  clients_[0]->Leave();
  EXPECT_EQ(fan_out->streams(), 2u);
  EXPECT_TRUE(Add().Open(TestSpec(), "", "one").ok());
}

TEST_F(FanOutTest, WatchesAreLimited) {
  FanOutOptions options;
  options.max_watches = 1;
  Start(options);
  AddLive();
  EXPECT_TRUE(absl::IsResourceExhausted(Add().Open(TestSpec())));
  EXPECT_EQ(fan_out->streams(), 1u);
}

TEST_F(FanOutTest, StreamsAreHandedOnAtTheirAge) {
  FanOutOptions options;
  options.max_stream_age_ms = 10'000;
  options.seed = 7;
  Start(options);
  constexpr int kClients = 50;
  for (int i = 0; i < kClients; ++i) AddLive();
  Pass(8'900);
  SettleAll();
  EXPECT_EQ(fan_out->streams(), static_cast<size_t>(kClients));
  Pass(1'100);
  SettleAll();
  EXPECT_GT(fan_out->streams(), 0u) << "not all at once";
  EXPECT_LT(fan_out->streams(), static_cast<size_t>(kClients));
  Pass(1'100);
  SettleAll();
  EXPECT_EQ(fan_out->streams(), 0u);
  for (const auto& client : clients_) {
    ASSERT_TRUE(client->finished.has_value());
    EXPECT_TRUE(absl::IsUnavailable(*client->finished));
    EXPECT_EQ(client->model.drains, 1);
    EXPECT_GE(client->retry_after_ms, 0);
    EXPECT_LE(client->retry_after_ms, kMaxAgeRetryMs);
  }
  EXPECT_EQ(stats.drained, static_cast<uint64_t>(kClients));
}

TEST_F(FanOutTest, ADrainIsPacedAndLosesNothing) {
  Start();
  constexpr int kClients = 40;
  for (int i = 0; i < kClients; ++i) AddLive();
  FakeClient& blocked = *clients_.back();
  Put("a", "1");
  Turn();
  for (const auto& client : clients_) {
    if (client.get() != &blocked) client->Take();
  }
  std::vector<FakeClient*> readers;
  for (const auto& client : clients_) {
    if (client.get() != &blocked) readers.push_back(client.get());
  }
  fan_out->BeginDrain(/*retry_after_ms=*/1'000, /*over_ms=*/400, now);
  EXPECT_TRUE(absl::IsUnavailable(Add().Open(TestSpec())));
  for (int step = 1; step <= 4; ++step) {
    Settle(this, readers);
    Put("a", absl::StrCat("during ", step));
    Settle(this, readers);
    // Ten in 100 ms, the first at once; the blocked one stays.
    const int left = static_cast<int>(fan_out->streams());
    EXPECT_LE(left, kClients - (step - 1) * 10);
    EXPECT_GE(left, kClients - (step - 1) * 10 - 1);
    Pass(100);
  }
  Settle(this, readers);
  EXPECT_EQ(fan_out->streams(), 1u) << "the blocked one";
  // Its farewell comes once it has read what was on its way.
  Settle(this, {&blocked});
  EXPECT_EQ(fan_out->streams(), 0u);
  std::set<int64_t> delays;
  clients_.pop_back();  // it was refused
  for (const auto& client : clients_) {
    EXPECT_EQ(client->model.drains, 1);
    EXPECT_TRUE(absl::IsUnavailable(*client->finished));
    EXPECT_GE(client->retry_after_ms, 500);
    EXPECT_LE(client->retry_after_ms, 1'500);
    delays.insert(client->retry_after_ms);
  }
  EXPECT_GT(delays.size(), 10u);
  // On another server, from the tokens.
  Start();
  for (const auto& client : clients_) {
    const int upserts = client->model.upserts;
    const Seq at = *client->model.position;
    ASSERT_TRUE(client->Open(TestSpec(), client->model.token).ok());
    Settle(this, {client.get()});
    EXPECT_EQ(client->model.position, store.head());
    EXPECT_EQ(client->model.resets, 0);
    EXPECT_EQ(client->model.upserts - upserts, at == store.head() ? 0 : 1);
  }
}

TEST_F(FanOutTest, ReadsWaitForTheirPosition) {
  FanOutOptions options;
  options.max_waiting_reads = 2;
  Start(options);
  std::vector<absl::Status> done;
  const auto note = [&done](const absl::Status& status) {
    done.push_back(status);
  };
  const ProcessingTime deadline(now.value() + 50'000);
  fan_out->WaitFor(pipeline.get(), Seq(0), deadline, note);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_TRUE(done[0].ok());
  fan_out->WaitFor(pipeline.get(), Seq(1), deadline, note);
  fan_out->WaitFor(pipeline.get(), Seq(9), deadline, note);
  fan_out->WaitFor(pipeline.get(), Seq(9), deadline, note);
  ASSERT_EQ(done.size(), 2u);
  EXPECT_TRUE(absl::IsResourceExhausted(done[1]));
  Put("a", "1");
  EXPECT_EQ(Turn(), deadline);
  ASSERT_EQ(done.size(), 3u);
  EXPECT_TRUE(done[2].ok());
  Pass(50);
  Turn();
  ASSERT_EQ(done.size(), 4u);
  EXPECT_TRUE(absl::IsDeadlineExceeded(done[3]));
  fan_out->WaitFor(pipeline.get(), Seq(9), kNever, note);
  fan_out->BeginDrain(1, 1, now);
  ASSERT_EQ(done.size(), 5u);
  EXPECT_TRUE(absl::IsUnavailable(done[4]));
}

TEST_F(FanOutTest, GoneAtAnyTime) {
  Start();
  FakeClient& at_once = Add();
  ASSERT_TRUE(at_once.Open(TestSpec()).ok());
  at_once.Leave();
  Turn();
  EXPECT_TRUE(at_once.written.empty());
  FakeClient& writing = AddLive();
  FakeClient& idle = AddLive();
  Put("a", "1");
  Turn();
  writing.Leave();
  idle.Take();
  idle.Leave();
  Put("a", "2");
  Pass(10'000);
  Turn();
  EXPECT_EQ(fan_out->streams(), 0u);
  EXPECT_FALSE(idle.finished.has_value());
  for (const auto& count : stats.view("things").subscribers) {
    EXPECT_EQ(count, 0);
  }
}

TEST_F(FanOutTest, AStoppedPipelineEndsItsStreamsOnceTheyHaveAll) {
  Start();
  FakeClient& client = AddLive();
  Put("a", "1");
  pipeline->SetStatus(absl::FailedPreconditionError("topic was re-created"));
  SettleAll();
  ASSERT_TRUE(client.finished.has_value());
  EXPECT_TRUE(absl::IsFailedPrecondition(*client.finished));
  EXPECT_EQ(client.model.upserts, 1);
  EXPECT_EQ(fan_out->streams(), 0u);
}

TEST_F(FanOutTest, AHistoryThatIsGoneIsAResetForTheBlockedOnly) {
  Start();
  FakeClient& blocked = AddLive();
  FakeClient& live = AddLive();
  for (int i = 0; i < 10; ++i) {
    Put("a", absl::StrCat(i));
    Settle(this, {&live});
  }
  store.MoveBase();
  store.Trim(Seq(9));
  SettleAll();
  EXPECT_EQ(blocked.model.resets, 1);
  EXPECT_EQ(live.model.resets, 0);
  EXPECT_EQ(blocked.model.rows, live.model.rows);
}

TEST_F(FanOutTest, ClosedOnceItHasSaidAll) {
  Start();
  FakeClient& client = AddLive();
  Put("a", "1");
  fan_out->Close(client.id, now);
  SettleAll();
  EXPECT_EQ(client.model.upserts, 1);
  ASSERT_TRUE(client.finished.has_value());
  EXPECT_TRUE(client.finished->ok());
}

}  // namespace
}  // namespace tidegate
