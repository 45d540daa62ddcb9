#include "ingest/loop/reorder_buffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using Place = std::tuple<int64_t, int, int64_t, int>;

RawRecord Record(int topic, int partition, int64_t offset,
                 absl::string_view value) {
  RawRecord record;
  record.topic = topic;
  record.partition = PartitionId(partition);
  record.offset = Offset(offset);
  record.timestamp_ms = offset * 10;
  record.has_value = true;
  record.value = value;
  return record;
}

class ReorderBufferTest : public ::testing::Test {
 protected:
  void Add(ReorderBuffer* buffer, int64_t time, int partition, int64_t offset,
           int topic = 0) {
    const std::string value = absl::StrCat("v", time, "/", offset);
    const absl::Status status =
        buffer->Add(Record(topic, partition, offset, value), EventTime(time));
    ASSERT_TRUE(status.ok()) << status;
  }
  Place Pop(ReorderBuffer* buffer) {
    Place place;
    const absl::Status status = buffer->Pop([&](const RawRecord& r,
                                                EventTime time) {
      place = {time.value(), r.partition.value(), r.offset.value(), r.topic};
      EXPECT_EQ(r.value,
                absl::StrCat("v", time.value(), "/", r.offset.value()));
      EXPECT_EQ(r.timestamp_ms, r.offset.value() * 10);
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return place;
  }

  const std::unique_ptr<SpillFiles> memory_ = MakeMemorySpill();
};

TEST_F(ReorderBufferTest, OrdersByTimePartitionOffsetTopic) {
  ReorderBuffer buffer(1 << 20, memory_.get());
  EXPECT_EQ(buffer.first_time(), kNeverEventTime);
  Add(&buffer, 5, 1, 0);
  Add(&buffer, 5, 0, 9, 1);
  Add(&buffer, 5, 0, 9, 0);
  Add(&buffer, -3, 2, 4);
  Add(&buffer, 5, 0, 2);
  EXPECT_EQ(buffer.first_time(), EventTime(-3));
  const std::vector<Place> wanted = {
      {-3, 2, 4, 0}, {5, 0, 2, 0}, {5, 0, 9, 0}, {5, 0, 9, 1}, {5, 1, 0, 0}};
  for (const Place& place : wanted) EXPECT_EQ(Pop(&buffer), place);
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_EQ(buffer.memory_bytes(), 0u);
}

TEST_F(ReorderBufferTest, KeepsAllOfARecord) {
  ReorderBuffer buffer(1, memory_.get());  // every second one is spilled
  RawRecord record = Record(3, 7, 11, "");
  record.has_value = false;
  record.has_key = true;
  record.key = "k";
  record.is_replay = true;
  record.replay_views = "a,b";
  record.replay_origin = "t/0/5";
  const RecordHeaders headers = {
      {"a", "1"}, {"b", std::nullopt}, {"a", std::string("\0x", 2)}, {"", ""}};
  record.headers = ViewOf(headers);
  for (int i = 0; i < 3; ++i) {
    record.offset = Offset(11 + i);
    ASSERT_TRUE(buffer.Add(record, EventTime(i)).ok());
  }
  EXPECT_GT(buffer.runs(), 0u);
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = buffer.Pop([&](const RawRecord& r, EventTime) {
      EXPECT_EQ(r.topic, 3);
      EXPECT_EQ(r.partition, PartitionId(7));
      EXPECT_EQ(r.offset, Offset(11 + i));
      EXPECT_TRUE(r.has_key);
      EXPECT_EQ(r.key, "k");
      EXPECT_FALSE(r.has_value);
      EXPECT_TRUE(r.is_replay);
      EXPECT_EQ(r.replay_views, "a,b");
      EXPECT_EQ(r.replay_origin, "t/0/5");
      EXPECT_EQ(CopyOf(r.headers), headers);
      HeaderView::Value value;
      EXPECT_TRUE(r.headers.Last("a", &value));
      EXPECT_EQ(value, std::string("\0x", 2));
      EXPECT_TRUE(r.headers.Last("b", &value));
      EXPECT_EQ(value, std::nullopt);
      EXPECT_FALSE(r.headers.Last("c", &value));
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(buffer.spilled_bytes(), 0u);
}

TEST_F(ReorderBufferTest, SpilledOrNotTheOrderIsTheSame) {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  const std::string directory =
      absl::StrCat(::testing::TempDir(), "/spill", seed);
  auto disk = OpenSpillDirectory(directory);
  ASSERT_TRUE(disk.ok()) << disk.status();
  for (const size_t limit : {size_t{1} << 30, size_t{4096}, size_t{300}}) {
    ReorderBuffer buffer(limit, disk->get());
    std::vector<Place> waiting;
    size_t most_runs = 0;
    int64_t offset = 0;
    for (int step = 0; step < 3000; ++step) {
      if (random() % 5 != 0 || waiting.empty()) {
        const auto time = static_cast<int64_t>(random() % 1000) + step;
        const auto partition = static_cast<int>(random() % 3);
        Add(&buffer, time, partition, offset);
        waiting.emplace_back(time, partition, offset++, 0);
      } else {
        const auto least = std::min_element(waiting.begin(), waiting.end());
        ASSERT_EQ(buffer.first_time(), EventTime(std::get<0>(*least)));
        ASSERT_EQ(Pop(&buffer), *least) << "seed=" << seed;
        waiting.erase(least);
      }
      most_runs = std::max(most_runs, buffer.runs());
    }
    EXPECT_EQ(most_runs > 0, limit < 1 << 20);
    std::sort(waiting.begin(), waiting.end());
    for (const Place& place : waiting) {
      ASSERT_EQ(Pop(&buffer), place) << "seed=" << seed;
    }
    EXPECT_EQ(buffer.size(), 0u);
    EXPECT_EQ(buffer.memory_bytes(), 0u);
    EXPECT_EQ(buffer.spilled_bytes(), 0u);
  }
  // Nothing is left behind for the next process to find.
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(ReorderBufferTest, WithoutASpillAFullBufferIsAnError) {
  ReorderBuffer buffer(1, nullptr);
  ASSERT_TRUE(buffer.Add(Record(0, 0, 0, "x"), EventTime(0)).ok());
  EXPECT_TRUE(buffer.full());
  const absl::Status status = buffer.Add(Record(0, 0, 1, "x"), EventTime(0));
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("reorder buffer"));
}

TEST_F(ReorderBufferTest, KnowsWhereToReadAgain) {
  ReorderBuffer buffer(1 << 20, memory_.get());
  const Offset none(1000);
  const auto least = [&](int partition, int64_t watermark) {
    return buffer
        .LeastOffset(0, PartitionId(partition), EventTime(watermark), none)
        .value();
  };
  EXPECT_EQ(least(0, 0), 1000);
  for (int64_t offset = 0; offset < 200; ++offset) {
    Add(&buffer, 500 - offset, 0, offset);
  }
  Add(&buffer, 450, 1, 77);
  EXPECT_EQ(least(0, 300), 0);
  EXPECT_EQ(least(1, 300), 77);
  // Records 101 and up have left; the block that holds 64 to 127 has not.
  while (buffer.first_time() < EventTime(400)) Pop(&buffer);
  EXPECT_EQ(least(0, 400), 0);
  while (buffer.first_time() < EventTime(440)) Pop(&buffer);
  EXPECT_EQ(least(0, 440), 0);
  while (buffer.size() > 0) Pop(&buffer);
  EXPECT_EQ(least(0, 501), 1000);
  EXPECT_EQ(least(1, 501), 1000);
}

}  // namespace
}  // namespace tidegate
