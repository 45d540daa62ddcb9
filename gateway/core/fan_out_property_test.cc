// Random commits, clients that read when they like, leave and come back, and
// some that never read: each holds what was true at its position, and those who
// read get the same messages whether or not others stall.
#include <array>
#include <iostream>
#include <random>

#include "gateway/core/fan_out_testing.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int kSeeds = 60;
constexpr int kSteps = 400;
constexpr int kClients = 8;
constexpr int kKeys = 24;

struct Totals {
  int64_t messages = 0, resumes = 0, conflated = 0, drained = 0, checks = 0;
  int64_t compared = 0;
};

class World : public FanOutWorld {
 public:
  World(uint64_t seed, int stalled) : random_(seed) {
    FanOutOptions options;
    options.seed = seed;
    aged_ = Chance(30);
    if (aged_) options.max_stream_age_ms = 3'000;
    Start(options);
    for (int i = 0; i < kClients + stalled; ++i) {
      clients_.push_back(std::make_unique<FakeClient>(this));
    }
    // Drawn for the healthy first, so that the others change nothing.
    for (int i = 0; i < kClients; ++i) {
      SubscriptionSpec spec = TestSpec();
      if (Chance(60)) {
        spec.filter.all_rows = false;
        for (int k = 0; k < kKeys; ++k) {
          if (Chance(25)) spec.filter.keys.push_back(TestKey(Name(k)));
        }
        if (spec.filter.keys.empty()) {
          spec.filter.keys.push_back(TestKey(Name(0)));
        }
      }
      specs_.push_back(spec);
    }
    specs_.resize(clients_.size(), TestSpec());
  }

  void Run(Totals* totals) {
    for (size_t i = 0; i < clients_.size(); ++i) Connect(i, "");
    for (int step = 0; step < kSteps; ++step) Step(totals);
    std::vector<FakeClient*> healthy;
    for (int i = 0; i < kClients; ++i) {
      if (clients_[i]->id == 0) Connect(i, clients_[i]->model.token);
      healthy.push_back(clients_[i].get());
    }
    // Progress is due twice, so that everyone has said where it is.
    for (int round = 0; round < 2; ++round) {
      Pass(1'100);
      Settle(this, healthy);
      for (int i = 0; i < kClients; ++i) {
        if (clients_[i]->id == 0) Connect(i, clients_[i]->model.token);
      }
      Settle(this, healthy);
    }
    for (int i = 0; i < kClients; ++i) {
      FakeClient& client = *clients_[i];
      if (client.model.position != store.head()) {
        client.model.Fail("not at the head");
      }
      Check(i, totals);
      totals->messages += client.model.messages;
      totals->conflated += client.model.multi_commit_ranges;
      totals->drained += client.model.drains;
    }
  }

  // Streams are handed on at ages drawn from one generator for all.
  bool aged() const { return aged_; }
  std::string violation() const {
    for (const auto& client : clients_) {
      if (!client->model.violation.empty()) return client->model.violation;
    }
    return "";
  }
  std::vector<std::vector<std::string>> Written() const {
    std::vector<std::vector<std::string>> written;
    written.reserve(kClients);
    for (int i = 0; i < kClients; ++i) written.push_back(clients_[i]->written);
    return written;
  }

 private:
  bool Chance(int percent) { return Below(100) < percent; }
  int Below(int n) {
    return std::uniform_int_distribution<int>(0, n - 1)(random_);
  }
  static std::string Name(int i) { return absl::StrCat("k", 100 + i); }

  void Connect(size_t i, const std::string& token) {
    FakeClient& client = *clients_[i];
    if (token.empty()) {
      client.model = ClientModel();
      client.model.schema = &TestSchema();
    }
    if (!client.Open(specs_[i], token).ok()) client.model.Fail("refused");
  }

  void Step(Totals* totals) {
    Pass(Below(60));
    const int what = Below(100);
    const int client = Below(kClients);
    FakeClient& chosen = *clients_[client];
    if (what < 30) {
      FakeStore::Batch batch;
      for (int n = Below(5); n >= 0; --n) {
        auto& row = batch[{kTestView, TestKey(Name(Below(kKeys)))}];
        if (!Chance(25)) row = TestRow(Name(0), absl::StrCat(random_()));
      }
      // Each row under its own key.
      for (auto& [where, row] : batch) {
        if (row) row = RowUnder(where.second);
      }
      store.Commit(batch, now);
    } else if (what < 55) {
      fan_out->Turn(now);
    } else if (what < 90) {
      if (chosen.Take()) Check(client, totals);
    } else if (what < 94) {
      store.MoveBase();
    } else {
      if (chosen.id != 0) chosen.Leave();
      if (!chosen.model.token.empty()) ++totals->resumes;
      Connect(static_cast<size_t>(client), chosen.model.token);
    }
    // Who was handed on comes back, once it has read why.
    for (int i = 0; i < kClients; ++i) {
      if (clients_[i]->finished) {
        Connect(static_cast<size_t>(i), clients_[i]->model.token);
      }
    }
  }

  std::string RowUnder(const std::string& key) {
    for (int i = 0; i < kKeys; ++i) {
      if (TestKey(Name(i)) == key) {
        return TestRow(Name(i), absl::StrCat(random_()));
      }
    }
    return "";
  }

  void Check(int i, Totals* totals) {
    FakeClient& client = *clients_[i];
    if (!client.model.position || client.model.in_fragments) return;
    ++totals->checks;
    const SubscriptionFilter& filter = specs_[i].filter;
    ModelRows expected;
    const auto view = store.At(*client.model.position);
    for (const auto& [key, row] : view->Rows(kTestView)) {
      if (filter.all_rows || std::find(filter.keys.begin(), filter.keys.end(),
                                       key) != filter.keys.end()) {
        expected[key] = row;
      }
    }
    if (client.model.rows != expected) client.model.Fail("rows differ");
  }

  std::mt19937_64 random_;
  bool aged_ = false;
  std::vector<SubscriptionSpec> specs_;
  std::vector<std::unique_ptr<FakeClient>> clients_;
};

TEST(FanOutPropertyTest, EachClientIsRightAndNobodyDependsOnTheStalled) {
  Totals totals;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Totals ignored;
    World alone(seed, /*stalled=*/0);
    alone.Run(&totals);
    ASSERT_EQ(alone.violation(), "") << "seed " << seed;
    World crowded(seed, /*stalled=*/3);
    crowded.Run(&ignored);
    ASSERT_EQ(crowded.violation(), "") << "seed " << seed;
    if (alone.aged()) continue;
    ++totals.compared;
    ASSERT_TRUE(alone.Written() == crowded.Written()) << "seed " << seed;
  }
  std::cout << "seeds=" << kSeeds << " messages=" << totals.messages
            << " resumes=" << totals.resumes
            << " conflated=" << totals.conflated
            << " drained=" << totals.drained << " checks=" << totals.checks
            << " compared=" << totals.compared << "\n";
  for (const int64_t count : {totals.resumes, totals.conflated, totals.drained,
                              totals.checks, totals.compared}) {
    EXPECT_GT(count, 0);
  }
}

}  // namespace
}  // namespace tidegate
