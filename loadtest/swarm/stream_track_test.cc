#include "loadtest/swarm/stream_track.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "loadtest/swarm/testing.h"

namespace tidegate::swarm {
namespace {

class StreamTrackTest : public testing::Test {
 protected:
  absl::Status Take(const std::string& message) {
    return track_.Take(message, source_, &response_);
  }
  // To position 10, token "ten".
  void GoLive() {
    track_.BeginStream();
    ASSERT_TRUE(Take(Wire().Uint(4, 1).Upsert("row")).ok());
    EXPECT_FALSE(track_.live());
    ASSERT_TRUE(Take(Wire().Uint(5, 1).Token("ten").Position(10)).ok());
    EXPECT_TRUE(track_.live());
  }

  StreamTrack track_;
  LatencySource source_;
  Response response_;
};

TEST_F(StreamTrackTest, FollowsRangesAndCounts) {
  GoLive();
  ASSERT_TRUE(
      Take(Wire().Upsert("a").Upsert("b").Range(10, 12).Token("twelve").Time(
               8, 7 * kSecond + 250))
          .ok());
  EXPECT_EQ(response_.updates, 2u);
  EXPECT_EQ(response_.time_us, 7 * kSecond + 250);
  EXPECT_TRUE(response_.live);
  EXPECT_EQ(track_.token(), "twelve");
  ASSERT_TRUE(Take(Wire().Range(12, 12).Token("twelve")).ok());  // progress
  EXPECT_EQ(response_.updates, 0u);
}

TEST_F(StreamTrackTest, AGapIsReportedOnce) {
  GoLive();
  EXPECT_EQ(Take(Wire().Upsert("a").Range(11, 12)).message(),
            "range (11, 12] of partition 0 does not continue position 10");
  EXPECT_TRUE(Take(Wire().Upsert("a").Range(12, 13)).ok());
}

TEST_F(StreamTrackTest, RepeatingAndGoingBackAreGapsToo) {
  GoLive();
  ASSERT_TRUE(Take(Wire().Range(10, 12)).ok());
  EXPECT_FALSE(Take(Wire().Upsert("a").Range(10, 12)).ok());
  EXPECT_FALSE(Take(Wire().Upsert("a").Range(12, 11)).ok());
}

TEST_F(StreamTrackTest, AResumedStreamContinuesItsPosition) {
  GoLive();
  track_.BeginStream();
  ASSERT_TRUE(Take(Wire().Range(10, 10).Token("ten").Position(10)).ok());
  track_.BeginStream();
  EXPECT_FALSE(Take(Wire().Range(11, 11)).ok());
}

TEST_F(StreamTrackTest, WithoutATokenItBeginsAnew) {
  track_.BeginStream();
  ASSERT_TRUE(Take(Wire().Uint(4, 1).Upsert("row")).ok());
  GoLive();
}

TEST_F(StreamTrackTest, AResetIsFollowedByASnapshot) {
  GoLive();
  const std::string reset = Wire().Uint(1, 2);
  ASSERT_TRUE(Take(Wire().Bytes(10, reset).Position(3)).ok());
  EXPECT_TRUE(response_.reset);
  EXPECT_EQ(response_.reset_cause, 2u);
  EXPECT_EQ(track_.token(), "");
  EXPECT_FALSE(Take(Wire().Range(3, 4).Upsert("a")).ok());
  ASSERT_TRUE(Take(Wire().Uint(5, 1).Token("three").Position(3)).ok());
  EXPECT_TRUE(Take(Wire().Range(3, 4).Upsert("a")).ok());
}

TEST_F(StreamTrackTest, ASnapshotNeedsAReset) {
  GoLive();
  EXPECT_EQ(Take(Wire().Uint(4, 1).Upsert("row")).message(),
            "a snapshot came without a reset");
}

TEST_F(StreamTrackTest, OnlyTheLastFragmentHasTheRange) {
  GoLive();
  ASSERT_TRUE(Take(Wire().Upsert("a").Uint(12, 1)).ok());
  EXPECT_EQ(track_.token(), "ten");
  EXPECT_EQ(Take(Wire().Upsert("b")).message(), "changes came without a range");
  ASSERT_TRUE(Take(Wire().Upsert("a").Uint(12, 1)).ok());
  ASSERT_TRUE(Take(Wire().Upsert("b").Range(10, 11)).ok());
  EXPECT_FALSE(Take(Wire().Upsert("a").Range(11, 12).Uint(12, 1)).ok());
}

TEST_F(StreamTrackTest, TheWatermarkMustNotMoveBack) {
  GoLive();
  ASSERT_TRUE(Take(Wire().Range(10, 11).Time(7, 5 * kSecond)).ok());
  ASSERT_TRUE(Take(Wire().Range(11, 12).Time(7, 5 * kSecond)).ok());
  EXPECT_EQ(Take(Wire().Range(12, 13).Time(7, 4 * kSecond)).message(),
            "watermark moved back from 5000000 to 4000000");
}

TEST_F(StreamTrackTest, ReadsStampsOfRows) {
  GoLive();
  source_.kind = LatencySource::Kind::kColumn;
  source_.field = 3;
  const std::string row = Wire().Uint(1, 9).Uint(3, 123'456);
  const std::string none = Wire().Uint(1, 9);
  ASSERT_TRUE(Take(Wire().Upsert(row).Upsert(none).Range(10, 11)).ok());
  EXPECT_EQ(response_.stamps_us, std::vector<int64_t>{123'456});
  source_.is_timestamp = true;
  ASSERT_TRUE(
      Take(Wire().Upsert(Wire().Time(3, 8 * kSecond)).Range(11, 12)).ok());
  EXPECT_EQ(response_.stamps_us, std::vector<int64_t>{8 * kSecond});
}

TEST_F(StreamTrackTest, HandsOutRows) {
  GoLive();
  source_.kind = LatencySource::Kind::kRows;
  const std::string gone = Wire().Bytes(2, "key");
  const std::string message =
      Wire().Upsert("a").Bytes(1, gone).Upsert("b").Range(10, 11);
  ASSERT_TRUE(Take(message).ok());
  EXPECT_EQ(response_.updates, 3u);
  EXPECT_EQ(response_.rows, (std::vector<absl::string_view>{"a", "b"}));
  ASSERT_TRUE(Take(Wire().Range(11, 12)).ok());
  EXPECT_TRUE(response_.rows.empty());
}

TEST_F(StreamTrackTest, ReadsADrain) {
  GoLive();
  const std::string after = Wire().Uint(1, 2).Uint(2, 500'000'000);
  ASSERT_TRUE(
      Take(Wire().Token("later").Bytes(11, Wire().Bytes(1, after))).ok());
  EXPECT_TRUE(response_.drain);
  EXPECT_EQ(response_.retry_after_ms, 2'500);
  EXPECT_EQ(track_.token(), "later");
}

TEST_F(StreamTrackTest, WhatCannotBeReadIsAnError) {
  GoLive();
  EXPECT_FALSE(Take("\x0a\x7f").ok());
}

}  // namespace
}  // namespace tidegate::swarm
