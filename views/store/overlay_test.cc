#include "views/store/overlay.h"

#include <random>

#include "views/store/store_testing.h"

namespace tidegate {
namespace {

using Model = std::map<std::pair<uint32_t, std::string>,
                       std::pair<std::optional<std::string>, uint64_t>>;

std::shared_ptr<const OverlayRun> RunOf(uint64_t seq, const Model& entries) {
  CommitBuilder builder;
  for (const auto& [key, value] : entries) {
    builder.Add(
        value.first.has_value()
            ? MakeChange(ViewId(key.first), key.second, std::nullopt,
                         *value.first, "s" + std::to_string(seq))
            : MakeChange(ViewId(key.first), key.second, "x", std::nullopt, ""));
  }
  return OverlayRun::FromCommit(
      *Commit::Parse(
           builder.Finish(Seq(seq), ProcessingTime(0), 0, Positions()))
           .value());
}

// `count` changes to random keys.
Model RandomEntries(std::mt19937_64* random, uint64_t seq, int count,
                    int keys) {
  Model entries;
  for (int i = 0; i < count; ++i) {
    const std::pair<uint32_t, std::string> key = {
        1 + (*random)() % 3,
        "key" + std::to_string((*random)() % static_cast<uint64_t>(keys))};
    if ((*random)() % 4 == 0) {
      entries[key] = {std::nullopt, seq};
    } else {
      entries[key] = {"row" + std::to_string((*random)()), seq};
    }
  }
  return entries;
}

void ExpectEqual(const OverlayRuns& runs, const Model& model) {
  OverlayMerger merger(runs);
  merger.SeekToFirst();
  for (const auto& [key, value] : model) {
    ASSERT_TRUE(merger.Valid());
    const OverlayEntry& entry = merger.entry();
    EXPECT_EQ(entry.view.value(), key.first);
    EXPECT_EQ(entry.key(), key.second);
    EXPECT_EQ(entry.seq.value(), value.second);
    EXPECT_EQ(entry.exists, value.first.has_value());
    EXPECT_EQ(entry.has_row, value.first.has_value());
    EXPECT_EQ(entry.row(), value.first.value_or(""));
    if (entry.exists) {
      EXPECT_EQ(entry.state(), "s" + std::to_string(value.second));
    }
    const OverlayEntry* found = FindNewest(runs, entry.view, entry.key());
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->seq, entry.seq);
    EXPECT_EQ(found->row(), entry.row());
    merger.Next();
  }
  EXPECT_FALSE(merger.Valid());
  EXPECT_EQ(FindNewest(runs, ViewId(1), "absent"), nullptr);
  EXPECT_EQ(FindNewest(runs, ViewId(9), "key1"), nullptr);
}

TEST(Overlay, EqualsAModel) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    OverlayRuns runs;
    Model model;
    for (uint64_t seq = 1; seq <= 100; ++seq) {
      const int count = random() % 5 == 0 ? 40 : static_cast<int>(random() % 4);
      const Model entries = RandomEntries(&random, seq, count, 50);
      for (const auto& [key, value] : entries) model[key] = value;
      PushRun(RunOf(seq, entries), Seq(0), &runs);
    }
    ExpectEqual(runs, model);
  }
}

TEST(Overlay, SeekFindsTheFirstAtOrAfter) {
  OverlayRuns runs;
  PushRun(RunOf(1, {{{1, "b"}, {"x", 1}}, {{2, "a"}, {"y", 1}}}), Seq(0),
          &runs);
  PushRun(RunOf(2, {{{1, "d"}, {"z", 2}}}), Seq(0), &runs);
  OverlayMerger merger(runs);
  merger.Seek(ViewId(1), "c");
  ASSERT_TRUE(merger.Valid());
  EXPECT_EQ(merger.entry().key(), "d");
  merger.Next();
  ASSERT_TRUE(merger.Valid());
  EXPECT_EQ(merger.entry().view, ViewId(2));
  merger.Seek(ViewId(2), "b");
  EXPECT_FALSE(merger.Valid());
}

TEST(Overlay, CommitsWithoutChangesMakeNoRun) {
  OverlayRuns runs;
  PushRun(RunOf(1, {}), Seq(0), &runs);
  EXPECT_TRUE(runs.empty());
}

// The cost of a stream of one-entry commits: how often an entry is copied, and
// how many runs a reader meets.
TEST(Overlay, OneEntryCommitsCostLogarithmically) {
  constexpr uint64_t kCommits = 20'000;
  OverlayRuns runs;
  uint64_t copied = 0;
  size_t most_runs = 0;
  for (uint64_t seq = 1; seq <= kCommits; ++seq) {
    const std::string key = "key" + std::to_string(seq * 7919 % kCommits);
    const OverlayRuns before = runs;
    PushRun(RunOf(seq, {{{1, key}, {"row", seq}}}), Seq(0), &runs);
    if (runs.size() <= before.size()) copied += runs.back()->entries().size();
    most_runs = std::max(most_runs, runs.size());
  }
  size_t entries = 0;
  for (const auto& run : runs) entries += run->entries().size();
  EXPECT_EQ(entries, kCommits);
  // log4(20,000) is 7.1; an entry may be copied twice within a size class.
  EXPECT_LT(copied, 15 * kCommits);
  EXPECT_LT(most_runs, 40u);
}

TEST(Overlay, RewritingOneKeyDoesNotGrowIt) {
  OverlayRuns runs;
  for (uint64_t seq = 1; seq <= 5000; ++seq) {
    PushRun(RunOf(seq, {{{1, "hot"}, {"row", seq}}}), Seq(0), &runs);
    ASSERT_LE(runs.size(), kMergeWidth);
  }
  ExpectEqual(runs, {{{1, "hot"}, {"row", 5000}}});
}

TEST(Overlay, FrozenRunsAreNotMerged) {
  OverlayRuns runs;
  uint64_t seq = 0;
  const auto push = [&](Seq frozen) {
    ++seq;
    PushRun(RunOf(seq, {{{1, "k" + std::to_string(seq)}, {"r", seq}}}), frozen,
            &runs);
  };
  for (int i = 0; i < 3; ++i) push(Seq(0));
  const OverlayRuns frozen_runs = runs;
  const Seq frozen(3);
  for (int i = 0; i < 100; ++i) push(frozen);
  ASSERT_GE(runs.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(runs[i], frozen_runs[i]);
  for (size_t i = 3; i < runs.size(); ++i) {
    EXPECT_GT(runs[i]->first_seq(), frozen);
  }
  EXPECT_LT(runs.size(), 30u);
}

TEST(Overlay, BigRunsAreLeftAlone) {
  OverlayRuns runs;
  const std::string big(kMaxMergeInputBytes, 'x');
  for (uint64_t seq = 1; seq <= 8; ++seq) {
    PushRun(RunOf(seq, {{{1, "k"}, {big, seq}}}), Seq(0), &runs);
  }
  EXPECT_EQ(runs.size(), 8u);
  EXPECT_EQ(FindNewest(runs, ViewId(1), "k")->seq, Seq(8));
}

TEST(Overlay, BytesCoverWhatIsHeld) {
  const std::string row(1000, 'r');
  Model entries;
  for (int i = 0; i < 100; ++i) entries[{1, std::to_string(i)}] = {row, 1};
  const auto run = RunOf(1, entries);
  EXPECT_GT(run->bytes(), 100 * (row.size() + sizeof(OverlayEntry)));
  EXPECT_LT(run->bytes(), 100 * (row.size() + sizeof(OverlayEntry) + 64));
}

}  // namespace
}  // namespace tidegate
