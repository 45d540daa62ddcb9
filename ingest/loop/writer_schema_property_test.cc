// Schemas that come at any time, through restarts, change nothing of what views
// come to.
#include <algorithm>
#include <random>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "ingest/loop/writer_schema_fixture.h"

namespace tidegate {
namespace {

class WriterSchemaPropertyTest : public WriterSchemaLoopTest {
 protected:
  static constexpr int kPartitions = 3;
  static constexpr int kSchemas = 5;

  // Writes, turns, restarts and lets schemas come, in an order that follows
  // from the seed. False if a position passed a record that waits.
  bool Live(uint64_t seed) {
    std::mt19937_64 random(seed);
    std::set<int32_t> here;
    bool ok = true;
    EXPECT_TRUE(Start().ok());
    for (int step = 0; step < 60; ++step) {
      switch (random() % 8) {
        case 0:
          here.insert(static_cast<int32_t>(1 + random() % kSchemas));
          for (const int32_t id : here) Register(id);
          break;
        case 1:
          EXPECT_TRUE(Restart().ok());
          break;
        case 2:
          clock_.AdvanceMs(static_cast<int64_t>(random() % 3'000));
          break;
        case 3:
          EXPECT_TRUE(loop_->Turn().ok());
          ok = PositionsHold(here) && ok;
          break;
        default:
          WriteOne(&random);
      }
    }
    LetEverythingGo();
    return ok;
  }
  void LetEverythingGo() {
    for (int32_t id = 1; id <= kSchemas; ++id) Register(id);
    for (int p = 0; p < kPartitions; ++p) {
      written_[p].push_back(1);
      Write(1, p, 9, 0, 1'000'000);
    }
    TurnToTheEnd();
    clock_.AdvanceMs(10'000);
    TurnToTheEnd();
  }
  void WriteOne(std::mt19937_64* random) {
    const auto id = static_cast<int32_t>(1 + (*random)() % kSchemas);
    const auto p = static_cast<int>((*random)() % kPartitions);
    time_ms_ += static_cast<int64_t>((*random)() % 700);
    written_[p].push_back(id);
    // In order within the partition, and a driver's all in one.
    Write(id, p, p, static_cast<int64_t>((*random)() % 100), time_ms_);
    ids_[p].push_back(absl::StrCat("o", orders_));
  }
  bool PositionsHold(const std::set<int32_t>& here) {
    for (int p = 0; p < kPartitions; ++p) {
      const auto waits =
          std::find_if(written_[p].begin(), written_[p].end(),
                       [&here](int32_t id) { return here.count(id) == 0; });
      if (Position("orders", p).next_offset.value() >
          waits - written_[p].begin()) {
        return false;
      }
    }
    return true;
  }
  // The rows of both views.
  std::vector<std::string> AllRows() {
    std::vector<std::string> rows = test_->Rows("totals");
    for (std::string& row : test_->Rows("steps")) {
      rows.push_back(std::move(row));
    }
    return rows;
  }
  // Compares a life of waiting with one in which every schema is there. The
  // clock moves no watermark: what is late would depend on when it is read.
  bool Holds(uint64_t seed) {
    const std::string sql =
        absl::StrReplaceAll(kTimedSql, {{"'orders.dlq'",
                                         "'orders.dlq', idle.timeout = '1h', "
                                         "idle.advance = 'off'"}});
    UseTopic(sql, kPartitions);
    options_.max_poll_records = 1 + static_cast<int>(seed % 7);
    bool ok = Live(seed);
    const std::vector<std::string> rows = AllRows();
    ok = kafka_.dead_letters().empty() && ok;
    options_.policy = {};
    loop_.reset();
    Use(sql);
    EXPECT_TRUE(Start().ok());
    TurnToTheEnd();
    clock_.AdvanceMs(10'000);
    TurnToTheEnd();
    return ok && AllRows() == rows;
  }

  int64_t time_ms_ = 1'000;
  std::vector<int32_t> written_[kPartitions];  // schemas, by offset
  std::vector<std::string> ids_[kPartitions];  // of the orders
};

class EverySeed : public WriterSchemaPropertyTest,
                  public ::testing::WithParamInterface<uint64_t> {};

TEST_P(EverySeed, RowsAreThoseOfALifeWithoutWaiting) {
  EXPECT_TRUE(Holds(GetParam())) << "seed=" << GetParam();
}
INSTANTIATE_TEST_SUITE_P(Seeds, EverySeed, ::testing::Range<uint64_t>(1, 201));

// In this one the registry says another thing of a schema time and again: that
// it is there, that there is none, or that it is one which does not fit.
class EveryWhim : public WriterSchemaPropertyTest,
                  public ::testing::WithParamInterface<uint64_t> {
 protected:
  void Say(int32_t id, uint64_t what) {
    switch (what % 3) {
      case 0:
        Register(id);
        break;
      case 1:
        fake_.SetMissing(id);
        break;
      default:
        fake_.AddProtobuf(
            id, absl::StrCat("syntax = \"proto3\"; package shop;",
                             "message Order { string amount = ", id, "; }"));
    }
  }
  void LiveWithWhims(uint64_t seed) {
    std::mt19937_64 random(seed);
    EXPECT_TRUE(Start().ok());
    for (int step = 0; step < 100; ++step) {
      switch (random() % 8) {
        case 0:
          Say(static_cast<int32_t>(1 + random() % kSchemas), random());
          break;
        case 1:
          EXPECT_TRUE(Restart().ok());
          break;
        case 2:
          clock_.AdvanceMs(static_cast<int64_t>(random() % 1'000));
          break;
        case 3:
          EXPECT_TRUE(loop_->Turn().ok());
          break;
        default:
          WriteOne(&random);
      }
    }
    // A loop that knows none by what it was.
    EXPECT_TRUE(Restart().ok());
    LetEverythingGo();
  }
  // Orders that a view has: of `totals` how many, of `steps` which.
  int64_t Counted() {
    int64_t count = 0;
    for (const std::string& row : test_->Rows("totals")) {
      const std::vector<std::string> columns = absl::StrSplit(row, '|');
      int64_t n = 0;
      EXPECT_TRUE(absl::SimpleAtoi(columns[1], &n));
      count += n;
    }
    return count;
  }
  std::set<std::string> Stepped() {
    std::set<std::string> orders;
    for (const std::string& row : test_->Rows("steps")) {
      orders.insert(row.substr(0, row.find('|')));
    }
    return orders;
  }
};

TEST_P(EveryWhim, IsNeverSilent) {
  UseTopic(kTimedSql, kPartitions);
  options_.max_poll_records = 1 + static_cast<int>(GetParam() % 7);
  LiveWithWhims(GetParam());
  std::set<std::pair<int, int64_t>> lettered;
  int64_t for_all = 0;
  for (const DeadLetter& letter : kafka_.dead_letters()) {
    lettered.emplace(letter.partition.value(), letter.offset.value());
    if (letter.views.empty()) ++for_all;
  }
  EXPECT_EQ(Counted() + for_all, orders_);
  const std::set<std::string> stepped = Stepped();
  for (int p = 0; p < kPartitions; ++p) {
    for (size_t offset = 0; offset < ids_[p].size(); ++offset) {
      EXPECT_TRUE(stepped.count(ids_[p][offset]) > 0 ||
                  lettered.count({p, static_cast<int64_t>(offset)}) > 0)
          << "seed=" << GetParam() << " partition=" << p
          << " offset=" << offset;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, EveryWhim, ::testing::Range<uint64_t>(1, 201));

class Mutants : public WriterSchemaPropertyTest,
                public ::testing::WithParamInterface<uint64_t> {};

// A loop that passes what waits is found by every one of these seeds.
TEST_P(Mutants, PassingWhatWaitsIsFound) {
  options_.policy.pass_waiting = true;
  EXPECT_FALSE(Holds(GetParam())) << "seed=" << GetParam();
}
INSTANTIATE_TEST_SUITE_P(Seeds, Mutants, ::testing::Range<uint64_t>(1, 6));

}  // namespace
}  // namespace tidegate
