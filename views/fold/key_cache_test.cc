#include "views/fold/key_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace tidegate {
namespace {

struct NoState {
  size_t bytes() const { return 0; }
};
using Cache = KeyCache<NoState>;

constexpr size_t kMaxKeys = 1000;

// As they are drained, after each was found and marked in the order given.
std::vector<std::string> Sorted(const std::vector<std::string>& keys) {
  Cache cache([](absl::string_view, Stored*) { return false; }, kMaxKeys);
  for (const std::string& key : keys) {
    cache.MarkDirty(
        cache.Find(key, [](Cache::Entry*) { return absl::OkStatus(); })
            .value());
  }
  std::vector<std::string> sorted;
  const absl::Status drained = cache.Drain([&sorted](Cache::Entry* entry) {
    sorted.push_back(entry->key);
    return absl::OkStatus();
  });
  EXPECT_TRUE(drained.ok()) << drained;
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

// Its number is in the state's bytes, as they are stored and as they are held.
struct Number {
  int64_t value = 0;
  std::string ballast;
  size_t bytes() const { return ballast.capacity(); }
};

// Changes keys and reads them, beside a map of what they must be.
class NumbersTest : public ::testing::TestWithParam<size_t> {
 protected:
  using Numbers = KeyCache<Number>;

  NumbersTest()
      : cache_(
            [this](absl::string_view key, Stored* stored) {
              const auto found = stored_.find(std::string(key));
              if (found == stored_.end()) return false;
              *stored = {.has_row = true,
                         .row = found->second,
                         .state = found->second};
              return true;
            },
            GetParam()) {}

  Numbers::Entry* Find(const std::string& key) {
    const auto entry =
        cache_.Find(key, [this, &key](Numbers::Entry* loaded) -> absl::Status {
          EXPECT_EQ(loaded->key, key);
          EXPECT_EQ(loaded->row, loaded->state_bytes);
          EXPECT_EQ(loaded->has_row, !loaded->row.empty());
          EXPECT_EQ(loaded->state.value, 0);
          if (fails_) return absl::DataLossError("disk");
          if (loaded->has_row) loaded->state.value = std::stoll(loaded->row);
          return absl::OkStatus();
        });
    EXPECT_TRUE(entry.ok() || fails_);
    return entry.ok() ? *entry : nullptr;
  }

  void Drain() {
    std::string last;
    const absl::Status status = cache_.Drain([&](Numbers::Entry* entry) {
      EXPECT_LT(last, entry->key);
      last = entry->key;
      entry->row = entry->state_bytes = std::to_string(entry->state.value);
      entry->has_row = true;
      stored_[entry->key] = entry->row;
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(stored_, truth_);
    EXPECT_LE(cache_.keys(), GetParam());
    EXPECT_EQ(cache_.dirty_keys(), 0u);
  }

  std::map<std::string, std::string> stored_;
  std::map<std::string, std::string> truth_;
  bool fails_ = false;
  Numbers cache_;
};

TEST_P(NumbersTest, AnEntryIsOfItsKeyAlone) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = "key " + std::to_string(random() % 50);
    fails_ = random() % 20 == 0;
    Numbers::Entry* const entry = Find(key);
    if (entry == nullptr) continue;
    const auto known = truth_.find(key);
    ASSERT_EQ(entry->state.value,
              known == truth_.end() ? 0 : std::stoll(known->second));
    if (random() % 3 == 0) {
      entry->state.value = step;
      entry->state.ballast.resize(random() % 2 == 0 ? 0 : random() % 9'000);
      truth_[key] = std::to_string(step);
      cache_.MarkDirty(entry);
    }
    if (random() % 40 == 0) Drain();
  }
  Drain();
  EXPECT_LE(cache_.bytes(), GetParam() * 20'000);
  EXPECT_GT(cache_.bytes(), 0u);
}

TEST_P(NumbersTest, KeysAreFetchedAhead) {
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i % 10);
    const size_t hash = Numbers::HashOf(key);
    cache_.PrefetchIndex(hash);
    cache_.PrefetchEntry(hash);
    Numbers::Entry* const before = cache_.Peek(key, hash);
    Numbers::Entry* const entry = Find(key);
    EXPECT_TRUE(before == nullptr || before == entry);
    EXPECT_EQ(cache_.Peek(key, hash), entry);
    EXPECT_EQ(cache_.Peek("another", hash), nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, NumbersTest,
                         ::testing::Values(1, 2, 3, 4, 10, 49, 1000));

}  // namespace
}  // namespace tidegate
