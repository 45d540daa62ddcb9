#include "views/store/key_filter.h"

#include "absl/hash/hash.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

uint64_t HashOf(uint64_t key) { return absl::Hash<uint64_t>()(key); }

TEST(KeyFilterTest, AnEmptyOneContainsNothing) {
  const KeyFilter filter;
  EXPECT_FALSE(filter.MayContain(HashOf(1)));
  EXPECT_EQ(filter.bytes(), 0u);
}

// Over several layers: what was added is found, and little else.
TEST(KeyFilterTest, FindsWhatWasAdded) {
  constexpr size_t kFirst = 1 << 16;
  KeyFilter filter(kFirst);
  constexpr uint64_t kKeys = kFirst * 12;
  for (uint64_t key = 0; key < kKeys; ++key) filter.Add(HashOf(key));
  uint64_t missing = 0;
  uint64_t false_ones = 0;
  for (uint64_t key = 0; key < kKeys; ++key) {
    missing += filter.MayContain(HashOf(key)) ? 0 : 1;
    false_ones += filter.MayContain(HashOf(key + kKeys)) ? 1 : 0;
  }
  EXPECT_EQ(missing, 0u);
  EXPECT_LT(false_ones, kKeys / 50);
  EXPECT_GT(filter.bytes(), kKeys);
}

TEST(KeyFilterTest, OneThatIsFullMayContainAnything) {
  constexpr size_t kFirst = 1 << 10;
  KeyFilter filter(kFirst);
  size_t room = 0;
  for (size_t i = 0, keys = kFirst; i < KeyFilter::kMaxLayers;
       ++i, keys *= KeyFilter::kLayerGrowth) {
    room += keys;
  }
  for (uint64_t key = 0; key < room; ++key) filter.Add(HashOf(key));
  uint64_t found = 0;
  for (uint64_t key = 0; key < 1'000; ++key) {
    found += filter.MayContain(HashOf(room + key)) ? 1 : 0;
  }
  EXPECT_LT(found, 1'000u);
  filter.Add(HashOf(room));
  EXPECT_TRUE(filter.MayContain(HashOf(room + 5)));
  EXPECT_EQ(filter.bytes(), 0u);
}

}  // namespace
}  // namespace tidegate
