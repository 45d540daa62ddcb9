#include "views/store/log_marks.h"

#include "gtest/gtest.h"
#include "views/store/checkpoint_record.h"

namespace tidegate {
namespace {

ProcessingTime Second(int64_t seconds) {
  return ProcessingTime(seconds * 1'000'000);
}
constexpr size_t kMuch = 1u << 30;

// One commit of 100 bytes a second.
LogMarks Seconds(uint64_t count) {
  LogMarks marks;
  for (uint64_t i = 1; i <= count; ++i) {
    marks.Add(Seq(i), Second(static_cast<int64_t>(i)), 100);
  }
  return marks;
}

TEST(LogMarks, TrimsByAge) {
  const LogMarks marks = Seconds(10);
  EXPECT_EQ(marks.TrimTarget(Second(10), 10'000, kMuch, Seq(10)), Seq(0));
  EXPECT_EQ(marks.TrimTarget(Second(14), 10'000, kMuch, Seq(10)), Seq(3));
  EXPECT_EQ(marks.TrimTarget(Second(99), 10'000, kMuch, Seq(10)), Seq(10));
}

TEST(LogMarks, TrimsByBytes) {
  LogMarks marks = Seconds(10);
  EXPECT_EQ(marks.bytes(), 1000u);
  EXPECT_EQ(marks.TrimTarget(Second(10), 60'000, 750, Seq(10)), Seq(3));
  marks.Trim(Seq(3));
  EXPECT_EQ(marks.bytes(), 700u);
}

TEST(LogMarks, NeverTrimsAboveTheLimit) {
  const LogMarks marks = Seconds(10);
  EXPECT_EQ(marks.TrimTarget(Second(99), 1, 0, Seq(4)), Seq(4));
  EXPECT_EQ(marks.TrimTarget(Second(99), 1, 0, Seq(0)), Seq(0));
}

TEST(LogMarks, CommitsOfOneSecondShareAMark) {
  LogMarks marks;
  for (uint64_t i = 1; i <= 10; ++i) {
    marks.Add(Seq(i), ProcessingTime(static_cast<int64_t>(i)), 1);
  }
  // The limit lies within the mark: it stays.
  EXPECT_EQ(marks.TrimTarget(Second(99), 1, 0, Seq(9)), Seq(0));
  EXPECT_EQ(marks.TrimTarget(Second(99), 1, 0, Seq(10)), Seq(10));
  marks.Seal();
  marks.Add(Seq(11), ProcessingTime(11), 1);
  EXPECT_EQ(marks.TrimTarget(Second(99), 1, 0, Seq(10)), Seq(10));
}

TEST(LogMarks, TheirNumberIsBounded) {
  const LogMarks marks = Seconds(3 * LogMarks::kMaxMarks);
  EXPECT_EQ(marks.bytes(), 300 * LogMarks::kMaxMarks);
  std::string bytes;
  marks.Encode(&bytes);
  LogMarks decoded;
  absl::string_view in = bytes;
  EXPECT_TRUE(decoded.Decode(&in));
  EXPECT_TRUE(in.empty());
  EXPECT_EQ(decoded.bytes(), marks.bytes());
  const Seq all(3 * LogMarks::kMaxMarks);
  EXPECT_EQ(decoded.TrimTarget(Second(1 << 30), 1, 0, all), all);
  // Still fine enough to cut about the middle.
  const Seq half(all.value() / 2);
  const Seq cut = marks.TrimTarget(Second(1 << 30), 1, 0, half);
  EXPECT_LE(cut, half);
  EXPECT_GT(cut.value(), half.value() - 16);
}

TEST(CheckpointRecord, RoundTripAndDamage) {
  CheckpointRecord record;
  record.seq = Seq(77);
  record.incarnation = "0123456789abcdef";
  record.positions.partitions[{"t", PartitionId(1)}].next_offset = Offset(5);
  record.positions.watermark = EventTime(9);
  record.row_counts = {{ViewId(1), 10}, {ViewId(9), 0}};
  record.log_trimmed = Seq(3);
  record.log_marks = Seconds(20);
  const std::string bytes = EncodeCheckpointRecord(record);
  const CheckpointRecord decoded = DecodeCheckpointRecord(bytes).value();
  EXPECT_EQ(decoded.seq, record.seq);
  EXPECT_EQ(decoded.incarnation, record.incarnation);
  EXPECT_EQ(decoded.positions, record.positions);
  EXPECT_EQ(decoded.row_counts, record.row_counts);
  EXPECT_EQ(decoded.log_trimmed, record.log_trimmed);
  EXPECT_EQ(decoded.log_marks.bytes(), 2000u);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_EQ(DecodeCheckpointRecord(damaged).status().code(),
              absl::StatusCode::kDataLoss);
    EXPECT_FALSE(DecodeCheckpointRecord(bytes.substr(0, i)).ok());
  }
}

}  // namespace
}  // namespace tidegate
