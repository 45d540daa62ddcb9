#include "gateway/core/key_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

SubscriptionFilter Keys(uint32_t view, std::vector<std::string> keys) {
  return {ViewId(view), false, std::move(keys)};
}
SubscriptionFilter All(uint32_t view) { return {ViewId(view), true, {}}; }

SubscriptionFilter Prefix(uint32_t view, std::string prefix) {
  SubscriptionFilter filter = All(view);
  filter.prefix = std::move(prefix);
  return filter;
}

struct Changed {
  uint32_t view;
  std::string key;
  bool row = true;  // else the state alone
};

std::shared_ptr<const Commit> MakeCommit(const std::vector<Changed>& changes) {
  CommitBuilder builder;
  for (const Changed& changed : changes) {
    Change change;
    change.view = ViewId(changed.view);
    change.key = changed.key;
    change.has_before = !changed.row;
    change.before = "r";
    change.has_after = true;
    change.after = "r";
    change.state = "s";
    builder.Add(change);
  }
  return Commit::Parse(
             builder.Finish(Seq(1), ProcessingTime(0), 0, Positions()))
      .value();
}

absl::flat_hash_set<int> Concerned(const KeyIndex<int>& index,
                                   const std::vector<Changed>& changes) {
  absl::flat_hash_set<int> concerned;
  index.Collect(*MakeCommit(changes), &concerned);
  return concerned;
}

TEST(KeyIndexTest, FindsSubscribersByKeyAndByView) {
  KeyIndex<int> index;
  index.Add(1, Keys(1, {"a", "b"}));
  index.Add(2, Keys(1, {"b"}));
  index.Add(3, Keys(2, {"a"}));
  index.Add(4, All(1));
  EXPECT_THAT(Concerned(index, {{1, "a"}}), UnorderedElementsAre(1, 4));
  EXPECT_THAT(Concerned(index, {{1, "a"}, {1, "b"}}),
              UnorderedElementsAre(1, 2, 4));
  EXPECT_THAT(Concerned(index, {{1, "c"}}), UnorderedElementsAre(4));
  EXPECT_THAT(Concerned(index, {{2, "a"}}), UnorderedElementsAre(3));
  EXPECT_THAT(Concerned(index, {{3, "a"}}), IsEmpty());
  // What clients cannot see concerns nobody.
  EXPECT_THAT(Concerned(index, {{1, "a", false}}), IsEmpty());
  index.Remove(1, Keys(1, {"a", "b"}));
  index.Remove(4, All(1));
  EXPECT_THAT(Concerned(index, {{1, "a"}, {1, "b"}}), UnorderedElementsAre(2));
  index.Remove(2, Keys(1, {"b"}));
  index.Remove(3, Keys(2, {"a"}));
  EXPECT_TRUE(index.empty());
}

TEST(KeyIndexTest, FindsPrefixesByTheirLengths) {
  KeyIndex<int> index;
  index.Add(1, Prefix(1, "a"));
  index.Add(2, Prefix(1, "ab"));
  index.Add(3, Prefix(1, "ac"));
  index.Add(4, Prefix(2, "ab"));
  index.Add(5, Prefix(1, "ab"));
  index.Add(6, Prefix(1, "abcd"));
  EXPECT_THAT(Concerned(index, {{1, "abc"}}), UnorderedElementsAre(1, 2, 5));
  EXPECT_THAT(Concerned(index, {{1, "a"}}), UnorderedElementsAre(1));
  EXPECT_THAT(Concerned(index, {{1, "ac"}}), UnorderedElementsAre(1, 3));
  EXPECT_THAT(Concerned(index, {{1, "abcd"}}),
              UnorderedElementsAre(1, 2, 5, 6));
  EXPECT_THAT(Concerned(index, {{2, "abc"}}), UnorderedElementsAre(4));
  index.Remove(2, Prefix(1, "ab"));
  EXPECT_THAT(Concerned(index, {{1, "abc"}}), UnorderedElementsAre(1, 5));
  index.Remove(5, Prefix(1, "ab"));
  EXPECT_THAT(Concerned(index, {{1, "ac"}}), UnorderedElementsAre(1, 3));
  index.Remove(1, Prefix(1, "a"));
  index.Remove(3, Prefix(1, "ac"));
  index.Remove(4, Prefix(2, "ab"));
  index.Remove(6, Prefix(1, "abcd"));
  EXPECT_TRUE(index.empty());
}

TEST(KeyIndexTest, SingleKeysComeAndGo) {
  KeyIndex<int> index;
  index.Add(1, Keys(1, {}));
  index.AddKey(1, ViewId(1), "a");
  index.AddKey(2, ViewId(1), "a");
  index.AddKey(1, ViewId(1), "b");
  EXPECT_THAT(Concerned(index, {{1, "a"}}), UnorderedElementsAre(1, 2));
  index.RemoveKey(1, ViewId(1), "a");
  index.RemoveKey(3, ViewId(1), "a");
  index.RemoveKey(1, ViewId(2), "a");
  EXPECT_THAT(Concerned(index, {{1, "a"}}), UnorderedElementsAre(2));
  EXPECT_THAT(Concerned(index, {{1, "b"}}), UnorderedElementsAre(1));
  index.RemoveKey(1, ViewId(1), "b");
  index.RemoveKey(2, ViewId(1), "a");
  EXPECT_TRUE(index.empty());
}

TEST(KeyIndexTest, EqualsALookAtEverySubscriber) {
  const uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t bound) { return random() % bound; };
  KeyIndex<int> index;
  std::map<int, SubscriptionFilter> all;
  for (int step = 0; step < 2000; ++step) {
    const int who = static_cast<int>(below(40));
    const auto at = all.find(who);
    if (at != all.end()) {
      index.Remove(who, at->second);
      all.erase(at);
    } else {
      SubscriptionFilter filter{ViewId(1 + below(3)), below(3) == 0, {}};
      for (uint64_t i = 0; !filter.all_rows && i < 1 + below(4); ++i) {
        filter.keys.push_back(absl::StrCat("k", below(12)));
      }
      std::sort(filter.keys.begin(), filter.keys.end());
      filter.keys.erase(std::unique(filter.keys.begin(), filter.keys.end()),
                        filter.keys.end());
      if (filter.all_rows && below(2) == 0) {
        filter.prefix = below(3) == 0 ? "k" : absl::StrCat("k", below(12));
      }
      index.Add(who, filter);
      all.emplace(who, std::move(filter));
    }
    std::vector<Changed> changes;
    for (uint32_t view = 1; view <= 3; ++view) {
      for (int key = 0; key < 12; ++key) {
        if (below(10) == 0) changes.push_back({view, absl::StrCat("k", key)});
      }
    }
    std::sort(changes.begin(), changes.end(),
              [](const Changed& a, const Changed& b) {
                return std::tie(a.view, a.key) < std::tie(b.view, b.key);
              });
    absl::flat_hash_set<int> wanted;
    for (const auto& [id, filter] : all) {
      for (const Changed& change : changes) {
        if (ViewId(change.view) != filter.view) continue;
        if (filter.all_rows ? change.key.rfind(filter.prefix, 0) == 0
                            : std::count(filter.keys.begin(), filter.keys.end(),
                                         change.key) > 0) {
          wanted.insert(id);
        }
      }
    }
    ASSERT_EQ(Concerned(index, changes), wanted) << "seed=" << seed;
  }
}

}  // namespace
}  // namespace tidegate
