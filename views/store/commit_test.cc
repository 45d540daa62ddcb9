#include "views/store/commit.h"

#include "gmock/gmock.h"
#include "views/store/store_testing.h"

namespace tidegate {
namespace {

Positions SomePositions() {
  Positions positions;
  positions.partitions[{"orders", PartitionId(0)}] = {
      Offset(12), Offset(10), Offset(11), 1'700'000'000'000, 0xfeedULL};
  positions.partitions[{"orders", PartitionId(3)}] = {};
  positions.partitions[{"", PartitionId(-1)}] = {Offset(-5), Offset(0)};
  positions.watermark = EventTime(-77);
  positions.tables_ready = true;
  return positions;
}

std::string SomeRecord() {
  CommitBuilder builder;
  builder.Add(MakeChange(ViewId(1), "a", std::nullopt, "row", "s1"));
  builder.Add(MakeChange(ViewId(1), "b", "old", "new", "s2"));
  builder.Add(MakeChange(ViewId(1), "c", "same", "same", "s3"));
  builder.Add(MakeChange(ViewId(2), "", "gone", std::nullopt, ""));
  builder.Add(MakeChange(ViewId(70000), "x", std::nullopt, std::nullopt, "s"));
  EXPECT_EQ(builder.change_count(), 5u);
  std::string record =
      builder.Finish(Seq(300), ProcessingTime(42), 17, SomePositions());
  EXPECT_EQ(builder.change_count(), 0u);
  EXPECT_EQ(builder.bytes(), 0u);
  return record;
}

TEST(Commit, RoundTrip) {
  const auto commit = Commit::Parse(SomeRecord()).value();
  EXPECT_EQ(commit->seq(), Seq(300));
  EXPECT_EQ(commit->committed_at(), ProcessingTime(42));
  EXPECT_EQ(commit->first_record_ms(), 17);
  EXPECT_EQ(commit->watermark(), EventTime(-77));
  EXPECT_EQ(commit->positions(), SomePositions());
  ASSERT_EQ(commit->changes().size(), 5u);
  const Change& inserted = commit->changes()[0];
  EXPECT_FALSE(inserted.has_before);
  EXPECT_TRUE(inserted.row_changed());
  EXPECT_EQ(inserted.after, "row");
  const Change& updated = commit->changes()[1];
  EXPECT_EQ(updated.before, "old");
  EXPECT_EQ(updated.after, "new");
  EXPECT_EQ(updated.state, "s2");
  const Change& state_only = commit->changes()[2];
  EXPECT_EQ(state_only.before, "same");
  EXPECT_EQ(state_only.after, "same");
  EXPECT_FALSE(state_only.row_changed());
  const Change& deleted = commit->changes()[3];
  EXPECT_EQ(deleted.before, "gone");
  EXPECT_FALSE(deleted.has_after);
  EXPECT_FALSE(commit->changes()[4].row_changed());
}

TEST(Commit, WhatTouchesACorrectedRowIsAChange) {
  Change change;
  change.has_before = change.has_after = true;
  change.before = change.after = "same";
  EXPECT_FALSE(change.row_changed());
  change.corrected = true;
  EXPECT_TRUE(change.row_changed());
  change.has_before = change.has_after = false;
  EXPECT_FALSE(change.row_changed());
}

TEST(Commit, BorrowsFromItsRecord) {
  const auto commit = Commit::Parse(SomeRecord()).value();
  const absl::string_view record = commit->record();
  for (const Change& change : commit->changes()) {
    EXPECT_GE(change.key.data(), record.data());
    EXPECT_LE(change.key.data() + change.key.size(),
              record.data() + record.size());
  }
}

TEST(Commit, ChangesOfAView) {
  const auto commit = Commit::Parse(SomeRecord()).value();
  EXPECT_EQ(commit->changes_of(ViewId(1)).size(), 3u);
  EXPECT_EQ(commit->changes_of(ViewId(1))[2].key, "c");
  EXPECT_EQ(commit->changes_of(ViewId(2)).size(), 1u);
  EXPECT_EQ(commit->changes_of(ViewId(70000)).size(), 1u);
  EXPECT_TRUE(commit->changes_of(ViewId(0)).empty());
  EXPECT_TRUE(commit->changes_of(ViewId(3)).empty());
  EXPECT_TRUE(commit->changes_of(ViewId(80000)).empty());
}

TEST(Commit, WithoutChanges) {
  CommitBuilder builder;
  const auto commit =
      Commit::Parse(builder.Finish(Seq(1), ProcessingTime(0), 0, Positions()))
          .value();
  EXPECT_TRUE(commit->changes().empty());
  EXPECT_EQ(commit->positions(), Positions());
  EXPECT_EQ(commit->watermark(), kNoEventTime);
}

TEST(Commit, EveryFlippedBitIsNoticed) {
  const std::string record = SomeRecord();
  for (size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string flipped = record;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(Commit::Parse(flipped).status().code(),
              absl::StatusCode::kDataLoss)
        << "bit " << bit;
  }
}

TEST(Commit, EveryCutIsNoticed) {
  const std::string record = SomeRecord();
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_EQ(Commit::Parse(record.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss);
  }
  EXPECT_FALSE(Commit::Parse(record + "x").ok());
}

TEST(Commit, ChangesOutOfOrderAreRefused) {
  for (absl::string_view second : {"a", "b"}) {
    CommitBuilder builder;
    builder.Add(MakeChange(ViewId(1), "b", std::nullopt, "x"));
    builder.Add(MakeChange(ViewId(1), second, std::nullopt, "x"));
    EXPECT_FALSE(
        Commit::Parse(builder.Finish(Seq(1), ProcessingTime(0), 0, Positions()))
            .ok());
  }
}

TEST(Positions, RoundTripAndEveryCut) {
  std::string bytes;
  EncodePositions(SomePositions(), &bytes);
  EXPECT_EQ(DecodePositions(bytes).value(), SomePositions());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodePositions(bytes.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss);
  }
  EXPECT_FALSE(DecodePositions(bytes + "x").ok());
  bytes[0] = 9;
  EXPECT_THAT(std::string(DecodePositions(bytes).status().message()),
              testing::HasSubstr("version"));
}

}  // namespace
}  // namespace tidegate
