#include "gateway/core/snapshot_feed.h"

#include <deque>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "gateway/core/snapshot_reader.h"
#include "gateway/core/subscription.h"
#include "gateway/core/testing.h"
#include "gateway/core/watched_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

using Got = SnapshotFeed::Got;
constexpr int kRowsPerChunk = 63;  // of 1 KiB: the last passes 64 KiB

class SnapshotFeedTest : public testing::Test {
 protected:
  struct Client {
    Client(SnapshotFeeds* feeds, MaterializedStore* store)
        : reader(feeds, store) {}
    SnapshotReader reader;
    std::unique_ptr<LogPin> pin;
    int rows = 0;
    std::string last_key;
    const std::string* last_bytes = nullptr;
  };

  SnapshotFeedTest() { filter_.view = kTestView; }

  void Fill(int rows) {
    FakeStore::Batch batch;
    for (int i = 0; i < rows; ++i) {
      const std::string key = absl::StrCat("m", 10000 + i);
      batch[{kTestView, TestKey(key)}] = TestRow(key, std::string(1024, 'x'));
    }
    store_.Commit(batch, now_);
    store_.MoveBase();
  }
  // Steps of work wait until they are told to run.
  void Make(SnapshotFeedLimits limits = {}) {
    feeds_ = SnapshotFeeds::Create(
        &store_,
        [this](std::function<void()> work) {
          work_.push_back(std::move(work));
        },
        [this] { ++wakes_; }, &rows_read_, limits);
  }
  void RunSteps(int n = 1000) {
    for (; n > 0 && !work_.empty(); --n) {
      const std::function<void()> work = std::move(work_.front());
      work_.pop_front();
      work();
    }
  }
  std::unique_ptr<Client> NewClient() {
    return std::make_unique<Client>(feeds_.get(), &store_);
  }
  SnapshotRequest Request(uint64_t hash = 7) {
    SnapshotRequest request;
    request.filter = &filter_;
    request.filter_hash = hash;
    return request;
  }
  bool Open(Client* client, const SnapshotRequest& request) {
    const auto open = client->reader.Open(request, now_, &client->pin);
    EXPECT_TRUE(open.ok()) << open.status();
    return open.ok() && *open;
  }
  Got Ask(Client* client) {
    std::shared_ptr<const SnapshotChunk> chunk;
    const auto got = client->reader.Next(now_, &chunk);
    EXPECT_TRUE(got.ok()) << got.status();
    if (!got.ok()) return Got::kGone;
    if (*got == Got::kChunk) {
      client->rows += static_cast<int>(chunk->rows);
      client->last_key = chunk->last_key;
      client->last_bytes = chunk->changes.get();
    }
    return *got;
  }
  // To the end, however many chunks; other clients stand still.
  Got ReadOn(Client* client) {
    Got got = Got::kChunk;
    while (got == Got::kChunk) {
      RunSteps();
      got = Ask(client);
      if (got == Got::kPending && !work_.empty()) got = Got::kChunk;
    }
    return got;
  }
  void Advance(int64_t ms) { now_ = ProcessingTime(now_.value() + ms * 1000); }

  WatchedStore store_;
  ProcessingTime now_{1'000'000'000};
  SubscriptionFilter filter_;
  std::deque<std::function<void()>> work_;
  int wakes_ = 0;
  std::atomic<uint64_t> rows_read_{0};
  std::unique_ptr<SnapshotFeeds> feeds_;
};

TEST_F(SnapshotFeedTest, WhoArriveTogetherShareBytesAndOneScan) {
  Fill(40 * kRowsPerChunk);
  Make();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(NewClient());
    ASSERT_TRUE(Open(clients.back().get(), Request()));
    Ask(clients[0].get());  // the first reads on while others arrive
    RunSteps();
  }
  EXPECT_EQ(clients[0]->rows, static_cast<int>(kChunksAhead) * kRowsPerChunk);
  Advance(kFeedJoinMs);
  for (size_t chunk = 0; chunk < 40; ++chunk) {
    RunSteps();
    for (size_t i = 1; i < clients.size(); ++i) {
      ASSERT_EQ(Ask(clients[i].get()), Got::kChunk);
      EXPECT_EQ(clients[i]->last_bytes, clients[1]->last_bytes);
    }
    if (chunk >= kChunksAhead) {
      ASSERT_EQ(Ask(clients[0].get()), Got::kChunk);
    }
  }
  for (auto& client : clients) {
    EXPECT_EQ(Ask(client.get()), Got::kEnd);
    EXPECT_EQ(client->rows, 40 * kRowsPerChunk);
  }
  EXPECT_EQ(rows_read_, 40u * kRowsPerChunk);
  EXPECT_EQ(store_.views(), 1);
}

TEST_F(SnapshotFeedTest, NothingIsReadAheadOfTheRing) {
  Fill(40 * kRowsPerChunk);
  Make();
  auto client = NewClient();
  ASSERT_TRUE(Open(client.get(), Request()));
  EXPECT_EQ(Ask(client.get()), Got::kPending);
  EXPECT_TRUE(client->reader.awaits());
  RunSteps();
  EXPECT_EQ(rows_read_, kChunksAhead * kRowsPerChunk);
  EXPECT_EQ(wakes_, 1) << "one waiter, one call, however many chunks";
}

TEST_F(SnapshotFeedTest, ASmallViewIsReadOnceForAllOfAMoment) {
  Fill(10);
  Make();
  for (int i = 0; i < 50; ++i) {
    auto client = NewClient();
    ASSERT_TRUE(Open(client.get(), Request()));
    EXPECT_EQ(ReadOn(client.get()), Got::kEnd);
    EXPECT_EQ(client->rows, 10);
  }
  EXPECT_EQ(rows_read_, 10u);
  EXPECT_EQ(store_.open_views(), 0) << "all rows are read";
  Advance(kFeedJoinMs);
  auto later = NewClient();
  ASSERT_TRUE(Open(later.get(), Request()));
  EXPECT_EQ(ReadOn(later.get()), Got::kEnd);
  EXPECT_EQ(rows_read_, 20u);
}

TEST_F(SnapshotFeedTest, AFeedWithoutReadersEnds) {
  Fill(40 * kRowsPerChunk);
  Make();
  auto client = NewClient();
  ASSERT_TRUE(Open(client.get(), Request()));
  EXPECT_EQ(Ask(client.get()), Got::kPending);
  RunSteps(3);
  EXPECT_EQ(store_.open_views(), 1);
  client.reset();
  EXPECT_EQ(store_.open_views(), 0);
  RunSteps();
  EXPECT_EQ(rows_read_, 3u * kRowsPerChunk);
}

// Or the log would be kept for a subscriber who has long been past its
// snapshot.
TEST_F(SnapshotFeedTest, AFeedOfNoRowsThatNobodyMayJoinHoldsNoLog) {
  Make({.join_ms = 0});
  auto client = NewClient();
  ASSERT_TRUE(Open(client.get(), Request()));
  EXPECT_EQ(ReadOn(client.get()), Got::kEnd);
  EXPECT_EQ(store_.open_pins(), 1);
  client.reset();
  EXPECT_EQ(store_.open_pins(), 0);
}

TEST_F(SnapshotFeedTest, AFeedLeftWhileItMayBeJoinedEndsAfterwards) {
  Fill(3);
  Make();
  auto client = NewClient();
  ASSERT_TRUE(Open(client.get(), Request()));
  EXPECT_EQ(feeds_->Tend(now_), std::nullopt);
  const ProcessingTime until(now_.value() + kFeedJoinMs * 1000);
  EXPECT_EQ(ReadOn(client.get()), Got::kEnd);
  client.reset();
  EXPECT_EQ(feeds_->Tend(now_), until);
  EXPECT_EQ(store_.open_pins(), 1);
  now_ = until;
  EXPECT_EQ(feeds_->Tend(now_), std::nullopt);
  EXPECT_EQ(store_.open_pins(), 0);
}

TEST_F(SnapshotFeedTest, TheSlowestHoldsTheOthersUpForALimitedTime) {
  Fill(40 * kRowsPerChunk);
  Make();
  auto fast = NewClient();
  auto slow = NewClient();
  auto slower = NewClient();
  for (Client* client : {fast.get(), slow.get(), slower.get()}) {
    ASSERT_TRUE(Open(client, Request()));
  }
  Advance(kFeedJoinMs);
  RunSteps();
  Ask(slow.get());
  RunSteps();
  Ask(slow.get());
  Ask(slow.get());
  EXPECT_EQ(ReadOn(fast.get()), Got::kPending);
  EXPECT_EQ(fast->rows, static_cast<int>(kChunksAhead) * kRowsPerChunk);
  EXPECT_EQ(fast->reader.ask_again().value(),
            now_.value() + kMaxChunkAgeMs * 1000);
  Advance(kMaxChunkAgeMs - 1);
  EXPECT_EQ(ReadOn(fast.get()), Got::kPending);
  Advance(1);
  EXPECT_EQ(ReadOn(fast.get()), Got::kEnd);
  EXPECT_EQ(fast->rows, 40 * kRowsPerChunk);
  EXPECT_EQ(Ask(slower.get()), Got::kGone);
  EXPECT_EQ(Ask(slow.get()), Got::kGone);
  // It goes on after what it has.
  SnapshotRequest rest = Request();
  rest.from_start = false;
  rest.after_key = slow->last_key;
  ASSERT_TRUE(Open(slow.get(), rest));
  Advance(kFeedJoinMs);
  EXPECT_EQ(ReadOn(slow.get()), Got::kEnd);
  EXPECT_EQ(slow->rows, 40 * kRowsPerChunk);
}

TEST_F(SnapshotFeedTest, AnOldFeedIsGoneForAll) {
  Fill(40 * kRowsPerChunk);
  Make();
  auto client = NewClient();
  ASSERT_TRUE(Open(client.get(), Request()));
  EXPECT_EQ(Ask(client.get()), Got::kPending);
  RunSteps();
  Advance(kMaxSnapshotViewMs);
  EXPECT_EQ(Ask(client.get()), Got::kGone);
  EXPECT_FALSE(client->reader.open());
  EXPECT_EQ(store_.open_views(), 0);
}

TEST_F(SnapshotFeedTest, OtherRowsAreNotShared) {
  Fill(5);
  Make();
  auto first = NewClient();
  ASSERT_TRUE(Open(first.get(), Request()));
  auto other_hash = NewClient();
  ASSERT_TRUE(Open(other_hash.get(), Request(8)));
  SubscriptionFilter prefixed = filter_;
  prefixed.prefix = TestKey("m10000");
  SnapshotRequest colliding = Request();
  colliding.filter = &prefixed;
  auto same_hash = NewClient();
  ASSERT_TRUE(Open(same_hash.get(), colliding));
  SnapshotRequest rest = Request();
  rest.from_start = false;
  rest.after_key = TestKey("m10001");
  auto middle = NewClient();
  ASSERT_TRUE(Open(middle.get(), rest));
  EXPECT_EQ(store_.views(), 4);
  EXPECT_EQ(ReadOn(same_hash.get()), Got::kEnd);
  EXPECT_EQ(same_hash->rows, 1);
  EXPECT_EQ(ReadOn(middle.get()), Got::kEnd);
  EXPECT_EQ(middle->rows, 3);
  // Rows of an older commit than the reader has are of no use to it.
  Fill(6);
  SnapshotRequest newer = Request();
  newer.at_least = Seq(2);
  auto ahead = NewClient();
  ASSERT_TRUE(Open(ahead.get(), newer));
  EXPECT_EQ(ahead->reader.seq(), Seq(2));
  newer.at_least = Seq(3);
  EXPECT_EQ(NewClient()->reader.Open(newer, now_, &ahead->pin).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST_F(SnapshotFeedTest, WhereIsEvaluatedOnceForAll) {
  FakeStore::Batch batch;
  for (int i = 0; i < 5000; ++i) {
    const std::string key = absl::StrCat("m", 10000 + i);
    batch[{kTestView, TestKey(key)}] =
        TestRow(key, i == 4999 ? "yes" : std::string(1024, 'x'));
  }
  store_.Commit(batch, now_);
  store_.MoveBase();
  auto where = RowFilter::Compile("v = 'yes'", TestSchema());
  ASSERT_TRUE(where.ok()) << where.status();
  filter_.where = *where;
  Make();
  auto a = NewClient();
  auto b = NewClient();
  ASSERT_TRUE(Open(a.get(), Request()));
  ASSERT_TRUE(Open(b.get(), Request()));
  EXPECT_EQ(ReadOn(a.get()), Got::kEnd);
  EXPECT_EQ(ReadOn(b.get()), Got::kEnd);
  EXPECT_EQ(a->rows, 1);
  EXPECT_EQ(b->rows, 1);
  EXPECT_EQ(rows_read_, 5000u);
  EXPECT_EQ(a->last_key, TestKey("m14999"));
}

TEST_F(SnapshotFeedTest, AnErrorOfTheStoreSaysWhere) {
  Fill(1);
  store_.broken = true;
  Make();
  auto client = NewClient();
  ASSERT_TRUE(Open(client.get(), Request()));
  EXPECT_EQ(Ask(client.get()), Got::kPending);
  RunSteps();
  std::shared_ptr<const SnapshotChunk> chunk;
  const absl::Status status = client->reader.Next(now_, &chunk).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("snapshot at seq=1"));
}

TEST_F(SnapshotFeedTest, PlacesAreGivenInTheOrderOfAsking) {
  Fill(40 * kRowsPerChunk);
  Make({.feeds = 2});
  auto a = NewClient();
  auto b = NewClient();
  ASSERT_TRUE(Open(a.get(), Request(1)));
  ASSERT_TRUE(Open(b.get(), Request(2)));
  auto c = NewClient();
  auto d = NewClient();
  auto e = NewClient();
  EXPECT_FALSE(Open(c.get(), Request(3)));
  EXPECT_FALSE(Open(d.get(), Request(4)));
  EXPECT_FALSE(Open(e.get(), Request(5)));
  EXPECT_TRUE(d->reader.awaits());
  wakes_ = 0;
  a.reset();
  EXPECT_EQ(wakes_, 1);
  EXPECT_FALSE(Open(d.get(), Request(4))) << "c was first";
  c.reset();
  EXPECT_EQ(wakes_, 2);
  EXPECT_FALSE(Open(e.get(), Request(5)));
  EXPECT_TRUE(Open(d.get(), Request(4)));
  EXPECT_FALSE(d->reader.awaits());
  auto joins = NewClient();
  EXPECT_TRUE(Open(joins.get(), Request(2))) << "takes no place";
}

TEST_F(SnapshotFeedTest, AStalledFeedGivesItsPlaceToOneWhoWaits) {
  Fill(40 * kRowsPerChunk);
  Make({.feeds = 1});
  auto stalled = NewClient();
  ASSERT_TRUE(Open(stalled.get(), Request(1)));
  RunSteps();
  auto waiting = NewClient();
  EXPECT_FALSE(Open(waiting.get(), Request(2)));
  Advance(kMaxChunkAgeMs - 1);
  EXPECT_FALSE(Open(waiting.get(), Request(2)));
  Advance(1);
  EXPECT_EQ(waiting->reader.ask_again().value(),
            now_.value() + (kMaxChunkAgeMs - 1) * 1000);
  EXPECT_TRUE(Open(waiting.get(), Request(2)));
  EXPECT_EQ(Ask(stalled.get()), Got::kGone);
}

TEST_F(SnapshotFeedTest, WhoIsInLineAndDoesNotAskKeepsNobodyWaiting) {
  Fill(40 * kRowsPerChunk);
  Make({.feeds = 1});
  auto a = NewClient();
  ASSERT_TRUE(Open(a.get(), Request(1)));
  auto blocked = NewClient();
  auto waiting = NewClient();
  EXPECT_FALSE(Open(blocked.get(), Request(2)));
  EXPECT_FALSE(Open(waiting.get(), Request(3)));
  a.reset();
  Advance(kMaxTurnAgeMs - 1);
  EXPECT_FALSE(Open(waiting.get(), Request(3)));
  Advance(1);
  EXPECT_TRUE(Open(waiting.get(), Request(3)));
}

TEST_F(SnapshotFeedTest, WorkThatHasNotBegunOutlivesTheFeeds) {
  Fill(100);
  Make();
  auto client = NewClient();
  ASSERT_TRUE(Open(client.get(), Request()));
  EXPECT_EQ(Ask(client.get()), Got::kPending);
  ASSERT_EQ(work_.size(), 1u);
  feeds_.reset();
  RunSteps();
  EXPECT_EQ(rows_read_, 0u);
  EXPECT_EQ(Ask(client.get()), Got::kGone);
}

// A few workers, readers on their own threads, and some that give up.
TEST_F(SnapshotFeedTest, ManyThreads) {
  constexpr int kReaders = 8;
  constexpr int kRows = 20 * kRowsPerChunk;
  Fill(kRows);
  Mutex mutex;
  CondVar changed;
  std::deque<std::function<void()>> work;
  uint64_t ready = 0;
  bool stopping = false;
  feeds_ = SnapshotFeeds::Create(
      &store_,
      [&](std::function<void()> step) {
        MutexLock lock(&mutex);
        work.push_back(std::move(step));
        changed.SignalAll();
      },
      [&] {
        MutexLock lock(&mutex);
        ++ready;
        changed.SignalAll();
      },
      &rows_read_, {.feeds = 2, .chunks_ahead = 4, .join_ms = 0});
  std::vector<std::thread> workers;
  workers.reserve(2);
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([&] {
      while (true) {
        std::function<void()> step;
        {
          MutexLock lock(&mutex);
          while (work.empty() && !stopping) changed.Wait(&mutex);
          if (work.empty()) return;
          step = std::move(work.front());
          work.pop_front();
        }
        step();
      }
    });
  }
  std::atomic<int> complete{0};
  std::vector<std::thread> readers;
  readers.reserve(kReaders);
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&, i] {
      SnapshotRequest request = Request(i % 3);
      SnapshotReader reader(feeds_.get(), &store_);
      std::unique_ptr<LogPin> pin;
      size_t rows = 0;
      while (true) {
        uint64_t seen = 0;
        {
          MutexLock lock(&mutex);
          seen = ready;
        }
        const bool open =
            reader.open() || reader.Open(request, now_, &pin).value();
        std::shared_ptr<const SnapshotChunk> chunk;
        const Got got =
            open ? reader.Next(now_, &chunk).value() : Got::kPending;
        if (got == Got::kEnd) break;
        if (got == Got::kChunk) {
          rows += chunk->rows;
          request.from_start = false;
          request.after_key = chunk->last_key;
          if (i == 0 && rows > kRows / 2) return;
        }
        if (got != Got::kPending) continue;
        MutexLock lock(&mutex);
        while (ready == seen) changed.Wait(&mutex);
      }
      if (rows == kRows) ++complete;
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(complete, kReaders - 1);
  feeds_.reset();
  EXPECT_EQ(store_.open_views(), 0);
  {
    MutexLock lock(&mutex);
    stopping = true;
    changed.SignalAll();
  }
  for (std::thread& worker : workers) worker.join();
}

}  // namespace
}  // namespace tidegate
