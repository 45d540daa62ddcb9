// Several subscribers of shared snapshots, who come, stall, are cut and resume
// in the middle while rows change: each ends with what is true.
#include <deque>
#include <iostream>
#include <random>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/core/client_model.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/subscription.h"
#include "gateway/core/testing.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int kSeeds = 60;
constexpr int kTurns = 400;
constexpr int kKeys = 150;
constexpr int kReaders = 6;

struct Totals {
  int64_t mid_snapshot = 0, waits = 0, resets = 0, restarts = 0;
  uint64_t rows_read = 0;
  int64_t rows_sent = 0;
};

struct Reader {
  ViewId view;
  std::unique_ptr<Subscription> subscription;
  ClientModel client;
  bool stalled = false;
};

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {
    SnapshotFeedLimits limits;
    limits.feeds = 1 + static_cast<size_t>(Below(3));
    limits.chunks_ahead = 1 + static_cast<size_t>(Below(4));
    limits.join_ms = Chance(50) ? 0 : kFeedJoinMs;
    feeds_ = SnapshotFeeds::Create(
        &store_,
        [this](std::function<void()> work) {
          work_.push_back(std::move(work));
        },
        [] {}, &rows_read_, limits);
    for (int i = 0; i < 3; ++i) Commit(/*large=*/true);
    store_.MoveBase();
    for (int i = 0; i < kReaders; ++i) {
      readers_.emplace_back();
      readers_.back().view = ViewId(static_cast<uint32_t>(1 + i % 2));
      readers_.back().client.schema = &TestSchema();
    }
  }

  void Run(Totals* totals) {
    for (Reader& reader : readers_) Connect(&reader, totals);
    for (int i = 0; i < kTurns && violation_.empty(); ++i) Turn(totals);
    // Everybody reads on: nobody is left waiting.
    for (int round = 0; round < 100; ++round) {
      for (Reader& reader : readers_) {
        while (violation_.empty() && Send(&reader, totals)) {
        }
      }
      RunSteps(1000);
      Advance(100);
    }
    for (Reader& reader : readers_) {
      if (reader.client.position != store_.head()) Fail("not at the head");
      totals->resets += reader.client.resets;
    }
    totals->rows_read += rows_read_;
  }
  const std::string& violation() const { return violation_; }

 private:
  bool Chance(int percent) { return Below(100) < percent; }
  int Below(int n) {
    return std::uniform_int_distribution<int>(0, n - 1)(random_);
  }
  void Advance(int64_t ms) { now_ = ProcessingTime(now_.value() + ms * 1000); }
  void Fail(const std::string& what) {
    if (violation_.empty()) violation_ = what;
  }
  void RunSteps(int n) {
    for (; n > 0 && !work_.empty(); --n) {
      const std::function<void()> work = std::move(work_.front());
      work_.pop_front();
      work();
    }
  }

  void Commit(bool large) {
    FakeStore::Batch batch;
    const int changes = large ? kKeys : Below(8);
    for (int i = 0; i < changes; ++i) {
      const std::string key = absl::StrCat("k", 1000 + Below(kKeys));
      const ViewId view(static_cast<uint32_t>(1 + Below(2)));
      std::optional<std::string>& row = batch[{view, TestKey(key)}];
      if (!Chance(large ? 5 : 40)) {
        row = TestRow(key, absl::StrCat(std::string(2500, 'x'), random_()));
      }
    }
    store_.Commit(batch, now_);
  }

  void Turn(Totals* totals) {
    Advance(Chance(1) ? kMaxSnapshotViewMs : Below(120));
    Reader& reader = readers_[static_cast<size_t>(Below(kReaders))];
    const int what = Below(100);
    if (what < 12) {
      Commit(/*large=*/false);
    } else if (what < 20) {
      store_.MoveBase();
    } else if (what < 21) {
      const uint64_t head = store_.head().value();
      store_.Trim(Seq(head - std::min<uint64_t>(head, Below(10))));
    } else if (what < 45) {
      RunSteps(1 + Below(4));
    } else if (what < 50) {
      reader.stalled = !reader.stalled;
    } else if (what < 57) {
      Connect(&reader, totals);
    } else {
      for (Reader& each : readers_) {
        if (!each.stalled && Chance(70)) Send(&each, totals);
      }
    }
  }

  void Connect(Reader* reader, Totals* totals) {
    ClientModel& client = reader->client;
    if (Chance(25)) client.token.clear();
    if (client.token.empty()) {
      client.rows.clear();
      client.finality.clear();
      client.position.reset();
      client.watermark = -1;
      ++totals->restarts;
    } else if (!client.position) {
      ++totals->mid_snapshot;
    }
    client.Disconnected();
    SubscriptionSpec spec = TestSpec();
    spec.filter.view = reader->view;
    spec.view_name = absl::StrCat("view", reader->view.value());
    spec.feeds = feeds_.get();
    auto made = Subscription::Create(std::move(spec), &store_, client.token);
    if (!made.ok()) return Fail(made.status().ToString());
    reader->subscription = *std::move(made);
  }

  bool Send(Reader* reader, Totals* totals) {
    Message message;
    const auto sent = reader->subscription->Next(now_, &message);
    if (!sent.ok()) Fail(sent.status().ToString());
    if (!sent.ok()) return false;
    if (!*sent) {
      const bool awaits = reader->subscription->awaits_rows();
      totals->waits += awaits ? 1 : 0;
      if (!reader->client.position && !awaits) Fail("waits for nothing");
      const int64_t due = reader->subscription->due().value();
      if (awaits && due > now_.value() + kMaxChunkAgeMs * 1000) {
        Fail("not asked again in time");
      }
      return false;
    }
    if (reader->subscription->last_message().snapshot) {
      totals->rows_sent +=
          static_cast<int64_t>(reader->subscription->last_message().changes);
    }
    reader->client.Apply(message.Flat());
    Fail(reader->client.violation);
    if (!reader->client.position || reader->client.in_fragments) return true;
    const auto view = store_.At(*reader->client.position);
    if (reader->client.rows != view->Rows(reader->view)) {
      Fail(absl::StrCat("rows differ from the model at ",
                        reader->client.position->value()));
    }
    return true;
  }

  std::mt19937_64 random_;
  FakeStore store_;
  std::atomic<uint64_t> rows_read_{0};
  std::deque<std::function<void()>> work_;
  std::unique_ptr<SnapshotFeeds> feeds_;
  std::vector<Reader> readers_;  // end before the feeds
  ProcessingTime now_{1'000'000'000};
  std::string violation_;
};

TEST(SnapshotPropertyTest, EveryoneEndsWithWhatIsTrue) {
  Totals totals;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    World world(seed);
    world.Run(&totals);
    ASSERT_EQ(world.violation(), "") << "seed " << seed;
  }
  std::cout << "seeds=" << kSeeds << " mid_snapshot=" << totals.mid_snapshot
            << " waits=" << totals.waits << " resets=" << totals.resets
            << " fresh=" << totals.restarts << " rows_read=" << totals.rows_read
            << " rows_sent=" << totals.rows_sent << "\n";
  EXPECT_GT(totals.mid_snapshot, 0);
  EXPECT_GT(totals.waits, 0);
  EXPECT_GT(totals.resets, 0);
  EXPECT_GT(totals.rows_sent, 0);
}

// The goal: 100 who arrive together cost no more than 1.3 times one's rows.
TEST(SnapshotPropertyTest, AHundredTogetherReadTheRowsOfOne) {
  constexpr int kRows = 30'000;
  std::mt19937_64 random(7);
  FakeStore store;
  FakeStore::Batch batch;
  for (int i = 0; i < kRows; ++i) {
    const std::string key = absl::StrCat("k", 100'000 + i);
    batch[{kTestView, TestKey(key)}] = TestRow(key, std::string(100, 'x'));
  }
  ProcessingTime now{1'000'000'000};
  store.Commit(batch, now);
  store.MoveBase();
  std::deque<std::function<void()>> work;
  std::atomic<uint64_t> rows_read{0};
  const auto feeds = SnapshotFeeds::Create(
      &store,
      [&](std::function<void()> step) { work.push_back(std::move(step)); },
      [] {}, &rows_read);
  SubscriptionSpec spec = TestSpec();
  spec.feeds = feeds.get();
  std::vector<std::unique_ptr<Subscription>> all;
  std::vector<size_t> rows(100, 0);
  std::set<size_t> ended;
  Message message;
  for (int turn = 0; ended.size() < 100; ++turn) {
    ASSERT_LT(turn, 100'000);
    now = ProcessingTime(now.value() + 1000);
    if (all.size() < 100) {
      all.push_back(*Subscription::Create(spec, &store, ""));
    }
    for (int i = 0; i < 20; ++i) {
      const size_t at = random() % all.size();
      const auto sent = all[at]->Next(now, &message);
      ASSERT_TRUE(sent.ok()) << sent.status();
      if (!*sent) continue;
      if (all[at]->last_message().snapshot) {
        rows[at] += all[at]->last_message().changes;
      } else if (all[at]->position() == Seq(1) && ended.insert(at).second) {
        EXPECT_EQ(rows[at], static_cast<size_t>(kRows));
      }
    }
    while (!work.empty()) {
      const std::function<void()> step = std::move(work.front());
      work.pop_front();
      step();
    }
  }
  EXPECT_LE(rows_read, kRows * 13 / 10);
}

}  // namespace
}  // namespace tidegate
