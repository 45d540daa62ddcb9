#include "clients/cpp/mirror_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "clients/cpp/totals_testing.h"

namespace tidegate::client {
namespace {

using ::testing::ElementsAre;

std::string Bytes(int64_t driver) {
  return TotalsKey(driver).SerializeAsString();
}

Event Connected() {
  Event event;
  event.kind = Event::Kind::kConnected;
  return event;
}

Event Rows(Event::Kind kind, const std::vector<int64_t>& drivers) {
  Event event;
  event.kind = kind;
  for (const int64_t driver : drivers) {
    event.changes.push_back(
        {Change::Kind::kUpsert, TotalsRow(driver, 1).SerializeAsString()});
  }
  event.position = StreamPosition{"i", {{0, 1}}};
  return event;
}

class MirrorFeedTest : public ::testing::Test {
 protected:
  MirrorFeedTest() : feed_(Connect(), {}, {}, Source()) {}

  void GoLive(const std::vector<int64_t>& drivers) {
    ASSERT_TRUE(feed_.Take(Connected()).ok());
    ASSERT_TRUE(feed_.Take(Rows(Event::Kind::kSnapshot, drivers)).ok());
    ASSERT_TRUE(feed_.Take(Rows(Event::Kind::kSnapshotEnd, {})).ok());
  }
  static ConnectOptions Connect() {
    ConnectOptions connect;
    QuickBackoff(&connect);
    return connect;
  }
  KeyOrderSource Source() {
    return [this](const std::string&) -> absl::StatusOr<KeyOrder> {
      ++asked_;
      if (!failure_.ok()) return std::exchange(failure_, absl::OkStatus());
      return KeyOrder({{1, KeyColumn::Type::kInt}});
    };
  }

  int asked_ = 0;
  absl::Status failure_;  // of the next question for the key's order
  MirrorFeed feed_;
};

TEST_F(MirrorFeedTest, RowsOfRemovedKeysGoWithTheAnswer) {
  GoLive({1, 2});
  feed_.KeysAsked(1, {Bytes(1)});
  feed_.KeysAsked(2, {Bytes(2)});
  EXPECT_THAT(TextOf(feed_.mirror().Read()), ElementsAre("1=1", "2=1"));
  ASSERT_TRUE(feed_.TakeKeysApplied(1, /*by_snapshot=*/false).ok());
  EXPECT_THAT(TextOf(feed_.mirror().Read()), ElementsAre("2=1"));
  EXPECT_TRUE(feed_.WaitForKeys(1, std::chrono::milliseconds(0)).ok());
  EXPECT_FALSE(feed_.WaitForKeys(2, std::chrono::milliseconds(0)).ok());
}

// A later request of those that the snapshot answers may have brought it back.
TEST_F(MirrorFeedTest, ASnapshotThatIsTheAnswerIsRightAsItIs) {
  GoLive({1});
  feed_.KeysAsked(1, {Bytes(1)});
  ASSERT_TRUE(feed_.TakeKeysApplied(1, /*by_snapshot=*/true).ok());
  EXPECT_THAT(TextOf(feed_.mirror().Read()), ElementsAre("1=1"));
}

TEST_F(MirrorFeedTest, TheKeysOrderIsAskedForWhenItMayBeAnother) {
  failure_ = absl::UnavailableError("not yet");
  GoLive({1});
  EXPECT_EQ(asked_, 2);
  Event resumed = Connected();
  resumed.token = "t";
  ASSERT_TRUE(feed_.Take(resumed).ok());
  EXPECT_EQ(asked_, 2);
  Event reset;
  reset.kind = Event::Kind::kReset;
  reset.cause = "HISTORY_TRIMMED";
  ASSERT_TRUE(feed_.Take(reset).ok());
  EXPECT_EQ(asked_, 2);
  reset.cause = "VIEW_REBUILT";
  ASSERT_TRUE(feed_.Take(reset).ok());
  EXPECT_EQ(asked_, 3);
  failure_ = absl::NotFoundError("no such view");
  EXPECT_EQ(feed_.Take(Connected()), absl::NotFoundError("no such view"));
  feed_.Stop();
  EXPECT_EQ(feed_.Take(Connected()).code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(feed_.stopped());
}

}  // namespace
}  // namespace tidegate::client
