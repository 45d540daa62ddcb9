#include "clients/cpp/row_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tidegate::client {
namespace {

using ::testing::ElementsAre;
using Model = std::map<std::string, std::string>;

RowRef Row(const std::string& key, const std::string& row) {
  return std::make_shared<const MirroredRow>(MirroredRow{key, row});
}

Model Contents(const RowMap& map) {
  Model contents;
  std::string last;
  map.ForEach([&](const RowRef& row) {
    EXPECT_TRUE(last.empty() || last < row->order);
    last = row->order;
    contents[row->order] = row->row;
    return true;
  });
  EXPECT_EQ(contents.size(), map.size());
  return contents;
}

std::string Text(const RowRef& row) { return row == nullptr ? "-" : row->row; }

TEST(RowMapTest, IsAMapWhoseCopiesAreTheirOwn) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  RowMap map;
  Model model;
  std::vector<std::pair<RowMap, Model>> kept;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = absl::StrCat(random() % 500);
    RowRef before;
    if (random() % 3 == 0) {
      before = map.Erase(key);
      EXPECT_EQ(Text(before), model.contains(key) ? model[key] : "-");
      model.erase(key);
    } else {
      const std::string row = absl::StrCat(i);
      before = map.Put(Row(key, row));
      EXPECT_EQ(Text(before), model.contains(key) ? model[key] : "-");
      model[key] = row;
    }
    EXPECT_EQ(Text(map.Find(key)), model.contains(key) ? model[key] : "-");
    if (random() % 1'000 == 0) kept.emplace_back(map, model);
  }
  kept.emplace_back(map, model);
  for (const auto& [copy, was] : kept) EXPECT_EQ(Contents(copy), was);
  size_t bytes = 0;
  map.ForEach([&](const RowRef& row) {
    bytes += RowMap::BytesOf(*row);
    return true;
  });
  EXPECT_EQ(map.bytes(), bytes);
}

TEST(RowMapTest, DiffTellsWhatIsNotTheSame) {
  RowMap before;
  RowMap after;
  for (const char* key : {"a", "b", "c", "e"}) before.Put(Row(key, key));
  after = before;
  after.Erase("a");
  after.Put(Row("b", "new"));
  after.Put(Row("c", "c"));  // another row that says the same
  after.Put(Row("d", "d"));
  std::vector<std::string> told;
  RowMap::Diff(before, after, [&](const RowRef& was, const RowRef& is) {
    told.push_back(Text(was) + ">" + Text(is));
  });
  EXPECT_THAT(told, ElementsAre("a>-", "b>new", "->d"));
  after.Put(std::make_shared<const MirroredRow>(
      MirroredRow{"c", "c", Finality::kFinal}));
  told.clear();
  RowMap::Diff(before, after, [&](const RowRef& was, const RowRef& is) {
    told.push_back(Text(was) + ">" + Text(is));
  });
  EXPECT_THAT(told, ElementsAre("a>-", "b>new", "c>c", "->d"));
}

TEST(RowMapTest, ForEachStopsWhenItIsTold) {
  RowMap map;
  for (const char* key : {"c", "a", "b"}) map.Put(Row(key, key));
  std::vector<std::string> seen;
  map.ForEach([&](const RowRef& row) {
    seen.push_back(row->row);
    return seen.size() < 2;
  });
  EXPECT_THAT(seen, ElementsAre("a", "b"));
}

// Each copy is read on a thread of its own while the original is changed.
TEST(RowMapTest, ACopyIsReadWhileTheOriginalChanges) {
  RowMap map;
  for (int i = 0; i < 200; ++i) map.Put(Row(absl::StrCat(i), "0"));
  for (int round = 1; round <= 50; ++round) {
    std::atomic<bool> wrong{false};
    std::thread reader([copy = map, round, &wrong]() mutable {
      copy.ForEach([&](const RowRef& row) {
        if (row->row != absl::StrCat(round - 1)) wrong = true;
        return true;
      });
      copy = RowMap();
    });
    for (int i = 0; i < 200; ++i) {
      map.Put(Row(absl::StrCat(i), absl::StrCat(round)));
    }
    reader.join();
    EXPECT_FALSE(wrong);
  }
}

}  // namespace
}  // namespace tidegate::client
