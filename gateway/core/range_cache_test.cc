#include "gateway/core/range_cache.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

constexpr uint64_t kFilter = 7;

EncodedRange Range(uint64_t from, uint64_t to, size_t bytes = 10) {
  EncodedRange range;
  range.from = Seq(from);
  range.to = Seq(to);
  range.count = 1;
  range.changes = std::make_shared<const std::string>(bytes, 'x');
  return range;
}

TEST(RangeCacheTest, AFilterIsSharedFromItsSecondSubscriberToItsLastButOne) {
  RangeCache cache;
  EXPECT_FALSE(cache.shared(kFilter));
  cache.Join(kFilter);
  EXPECT_FALSE(cache.shared(kFilter));
  cache.Join(kFilter);
  EXPECT_TRUE(cache.shared(kFilter));
  EXPECT_FALSE(cache.shared(kFilter + 1));
  cache.Leave(kFilter);
  EXPECT_FALSE(cache.shared(kFilter));
  cache.Leave(kFilter);
  cache.Leave(kFilter);
  EXPECT_FALSE(cache.shared(kFilter));
}

TEST(RangeCacheTest, FindsWhatAReaderWouldReadNow) {
  RangeCache cache;
  cache.Put(kFilter, Range(3, 5));
  ASSERT_NE(cache.Find(kFilter, Seq(3), Seq(5)), nullptr);
  EXPECT_EQ(cache.Find(kFilter, Seq(3), Seq(5))->to, Seq(5));
  EXPECT_EQ(cache.Find(kFilter, Seq(4), Seq(5)), nullptr);
  EXPECT_EQ(cache.Find(kFilter + 1, Seq(3), Seq(5)), nullptr);
  EXPECT_EQ(cache.Find(kFilter, Seq(3), Seq(6)), nullptr)
      << "who reads now gets more: it would be told of each key once";
  cache.Put(kFilter, Range(3, 6));
  EXPECT_EQ(cache.Find(kFilter, Seq(3), Seq(6))->to, Seq(6));
  EXPECT_EQ(cache.size(), 1u);
  EncodedRange full = Range(6, 9);
  full.full = true;
  cache.Put(kFilter, full);
  EXPECT_NE(cache.Find(kFilter, Seq(6), Seq(100)), nullptr)
      << "a limit ends it there, whoever reads";
}

TEST(RangeCacheTest, KeepsTheMostRecentlyUsedWithinItsLimits) {
  RangeCache cache;
  cache.Put(kFilter, Range(0, 1));
  for (uint64_t i = 1; i < 2 * kMaxCachedRanges; ++i) {
    cache.Put(kFilter, Range(i, i + 1));
    EXPECT_NE(cache.Find(kFilter, Seq(0), Seq(1)), nullptr) << i;
  }
  EXPECT_EQ(cache.size(), kMaxCachedRanges);
  EXPECT_EQ(cache.Find(kFilter, Seq(1), Seq(2)), nullptr);
  const size_t large = 60'000;
  for (uint64_t i = 0; i < 1000; ++i) {
    cache.Put(kFilter + 1, Range(i, i + 1, large));
    ASSERT_LE(cache.bytes(), kMaxCachedRangeBytes);
  }
  EXPECT_GT(cache.bytes(), kMaxCachedRangeBytes - 2 * large);
  EXPECT_EQ(cache.Find(kFilter, Seq(0), Seq(1)), nullptr);
  EXPECT_NE(cache.Find(kFilter + 1, Seq(999), Seq(1000)), nullptr);
}

TEST(RangeCacheTest, CountsWhatItKeepsAndNoMore) {
  RangeCache cache;
  cache.Put(kFilter, Range(0, 1, 5000));
  const size_t once = cache.bytes();
  EXPECT_GE(once, 5000u);
  for (int i = 0; i < 10; ++i) cache.Put(kFilter, Range(0, 1, 5000));
  EXPECT_EQ(cache.bytes(), once);
}

}  // namespace
}  // namespace tidegate
