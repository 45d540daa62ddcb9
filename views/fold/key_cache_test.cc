#include "views/fold/key_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>
#include <set>

#include "absl/status/status.h"

namespace tidegate {
namespace {

struct NoState {
  size_t bytes() const { return 0; }
};
using Cache = KeyCache<NoState>;

constexpr size_t kMaxKeys = 1000;

// As SortDirty has them, after each was found and marked in the order given.
std::vector<std::string> Sorted(const std::vector<std::string>& keys) {
  Cache cache([](absl::string_view, Stored*) { return false; }, kMaxKeys);
  for (const std::string& key : keys) {
    cache.MarkDirty(
        cache.Find(key, [](Cache::Entry*) { return absl::OkStatus(); })
            .value());
  }
  std::vector<std::string> sorted;
  for (const Cache::Entry* entry : cache.SortDirty()) {
    sorted.push_back(entry->key);
  }
  return sorted;
}

TEST(KeyCache, DirtyKeysComeInOrder) {
  using namespace std::string_literals;
  EXPECT_TRUE(Sorted({}).empty());
  EXPECT_EQ(Sorted({"b", "a", "a"}), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(
      Sorted({"a\0"s, "a"s, ""s, "a\0\0\0\0\0\0\0\0\0b"s,
              "a\0\0\0\0\0\0\0\0\0a"s}),
      (std::vector<std::string>{""s, "a"s, "a\0"s, "a\0\0\0\0\0\0\0\0\0a"s,
                                "a\0\0\0\0\0\0\0\0\0b"s}));
  EXPECT_EQ(Sorted({"same8same8\xff", "same8same8\x01"}),
            (std::vector<std::string>{"same8same8\x01", "same8same8\xff"}));
}

TEST(KeyCache, AnyKeysComeInOrder) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    const std::string shared(random() % 12, 'p');
    std::set<std::string> keys;
    for (size_t i = 0, n = random() % 100; i < n; ++i) {
      std::string key = shared;
      // Few values of a byte, so that many keys begin alike.
      for (size_t j = random() % 14; j > 0; --j) {
        key.push_back("\0\x01\xff"[random() % 3]);
      }
      keys.insert(std::move(key));
    }
    std::vector<std::string> shuffled(keys.begin(), keys.end());
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    EXPECT_EQ(Sorted(shuffled),
              std::vector<std::string>(keys.begin(), keys.end()));
  }
}

}  // namespace
}  // namespace tidegate
