#include "ingest/loop/waiting_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;

class WaitingRecordsTest : public ::testing::Test {
 protected:
  void Add(int partition, int64_t offset) {
    // Frees its bytes before they are looked at.
    std::string key = absl::StrCat("k", offset);
    std::string value(50, static_cast<char>('a' + offset));
    std::string views = absl::StrCat("views", offset);
    std::string origin = absl::StrCat("origin", offset);
    RawRecord record;
    record.partition = PartitionId(partition);
    record.offset = Offset(offset);
    record.timestamp_ms = 1000 + offset;
    record.has_key = true;
    record.key = key;
    record.has_value = true;
    record.value = value;
    record.is_replay = true;
    record.replay_views = views;
    record.replay_origin = origin;
    const RecordHeaders headers = {{"trace", absl::StrCat("t", offset)}};
    record.headers = ViewOf(headers);
    waiting_.Add(record);
  }
  // Takes all but those that are `blocked`, as "partition:offset".
  int Retry(int most = 100) {
    taken_.clear();
    const auto taken = waiting_.Retry(
        most, [this](const RawRecord& record) -> absl::StatusOr<bool> {
          const int64_t n = record.offset.value();
          EXPECT_EQ(record.key, absl::StrCat("k", n));
          EXPECT_EQ(record.value, std::string(50, static_cast<char>('a' + n)));
          EXPECT_EQ(record.replay_views, absl::StrCat("views", n));
          EXPECT_EQ(record.replay_origin, absl::StrCat("origin", n));
          EXPECT_EQ(record.timestamp_ms, 1000 + n);
          HeaderView::Value trace;
          EXPECT_TRUE(record.headers.Last("trace", &trace));
          EXPECT_EQ(trace, absl::StrCat("t", n));
          if (blocked_.count(n) > 0) return false;
          taken_.push_back(absl::StrCat(record.partition.value(), ":", n));
          kept_.push_back(record);
          return true;
        });
    EXPECT_TRUE(taken.ok());
    return taken.value_or(-1);
  }
  bool Waits(int partition) {
    return waiting_.Waits(0, PartitionId(partition));
  }

  WaitingRecords waiting_;
  std::set<int64_t> blocked_;
  std::vector<std::string> taken_;
  std::vector<RawRecord> kept_;  // borrowed
};

TEST_F(WaitingRecordsTest, EachPartitionGoesOnInOrderUpToTheOneThatWaits) {
  EXPECT_TRUE(waiting_.empty());
  Add(0, 1);
  Add(1, 2);
  Add(0, 3);
  Add(1, 4);
  Add(0, 5);
  EXPECT_EQ(waiting_.records(), 5u);
  EXPECT_EQ(waiting_.partitions(), 2u);
  blocked_ = {3};
  EXPECT_EQ(Retry(), 3);
  EXPECT_THAT(taken_, ElementsAre("0:1", "1:2", "1:4"));
  EXPECT_TRUE(Waits(0));
  EXPECT_FALSE(Waits(1));
  EXPECT_EQ(waiting_.records(), 2u);
  EXPECT_FALSE(waiting_.unasked());
  // They are there until Clear().
  EXPECT_EQ(kept_[2].value, std::string(50, 'e'));
  waiting_.Clear();
  blocked_.clear();
  EXPECT_EQ(Retry(), 2);
  EXPECT_THAT(taken_, ElementsAre("0:3", "0:5"));
  EXPECT_TRUE(waiting_.empty());
  EXPECT_EQ(waiting_.partitions(), 0u);
}

TEST_F(WaitingRecordsTest, OneThatComesInTheTurnOfTheOthersEndWaitsBehindThem) {
  Add(0, 1);
  EXPECT_EQ(Retry(), 1);
  EXPECT_FALSE(Waits(0));
  Add(0, 2);
  EXPECT_TRUE(Waits(0));
  waiting_.Clear();
  EXPECT_TRUE(Waits(0));
  EXPECT_EQ(Retry(), 1);
  EXPECT_THAT(taken_, ElementsAre("0:2"));
}

TEST_F(WaitingRecordsTest, NoMoreThanSoManyAtATime) {
  for (int64_t offset = 0; offset < 5; ++offset) Add(0, offset);
  EXPECT_EQ(Retry(3), 3);
  EXPECT_TRUE(waiting_.unasked());
  EXPECT_TRUE(Waits(0));
  waiting_.Clear();
  EXPECT_EQ(Retry(2), 2);
  EXPECT_FALSE(Waits(0));
  EXPECT_FALSE(waiting_.unasked());
}

TEST_F(WaitingRecordsTest, AStatusEndsIt) {
  Add(0, 1);
  const auto taken =
      waiting_.Retry(5, [](const RawRecord&) -> absl::StatusOr<bool> {
        return absl::InternalError("no");
      });
  EXPECT_TRUE(absl::IsInternal(taken.status()));
}

}  // namespace
}  // namespace tidegate
