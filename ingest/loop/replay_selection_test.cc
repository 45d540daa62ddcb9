#include "ingest/loop/replay_selection.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

DeadLetter Letter(int64_t offset, const std::string& reason,
                  std::vector<std::string> views,
                  const std::string& replay_views) {
  DeadLetter letter;
  letter.source_topic = "orders";
  letter.partition = PartitionId(2);
  letter.offset = Offset(offset);
  letter.timestamp_ms = 1'000 + offset;
  letter.reason = reason;
  letter.views = std::move(views);
  letter.replay_views = replay_views;
  return letter;
}

// Selected ones as "topic/partition origin views"; the letters stand in
// partition 0 from offset 0 on.
std::vector<std::string> SelectWith(ReplaySelection* selection,
                                    const std::vector<DeadLetter>& letters) {
  std::vector<std::string> selected;
  int64_t offset = 0;
  for (const DeadLetter& letter : letters) {
    const auto got = selection->Take(letter, PartitionId(0), Offset(offset++));
    EXPECT_TRUE(got.ok()) << got.status();
    if (!got.ok() || !got->has_value()) continue;
    selected.push_back(absl::StrCat((*got)->topic, "/",
                                    (*got)->partition.value(), " ",
                                    (*got)->origin, " ", (*got)->views));
  }
  return selected;
}

std::vector<std::string> Select(ReplayFilter filter,
                                const std::vector<DeadLetter>& letters) {
  ReplaySelection selection(std::move(filter));
  return SelectWith(&selection, letters);
}

std::vector<DeadLetter> Letters() {
  return {Letter(5, "undecodable", {}, ""),
          Letter(6, "late", {"v1", "v2"}, "v1@60/120,v2"),
          Letter(7, "expression", {"v3"}, ""),  // of an older version
          Letter(8, "future", {}, "")};
}

TEST(ReplaySelectionTest, EverythingAsTheLettersSay) {
  EXPECT_THAT(
      Select({}, Letters()),
      ElementsAre("orders/2 orders/2/5 ", "orders/2 orders/2/6 v1@60/120,v2",
                  "orders/2 orders/2/7 v3", "orders/2 orders/2/8 "));
}

TEST(ReplaySelectionTest, ViewsNarrow) {
  ReplaySelection selection({.views = {"v2", "v9"}});
  EXPECT_THAT(SelectWith(&selection, Letters()),
              ElementsAre("orders/2 orders/2/5 v2,v9", "orders/2 orders/2/6 v2",
                          "orders/2 orders/2/8 v2,v9"));
  EXPECT_THAT(selection.views_seen(), ElementsAre("v1", "v2", "v3"));
  EXPECT_THAT(Select({.views = {"v1"}}, {Letters()[1]}),
              ElementsAre("orders/2 orders/2/6 v1@60/120"));
}

TEST(ReplaySelectionTest, EveryConditionHolds) {
  EXPECT_THAT(
      Select({.reasons = {"late", "future"}}, Letters()),
      ElementsAre("orders/2 orders/2/6 v1@60/120,v2", "orders/2 orders/2/8 "));
  EXPECT_THAT(Select({.origin_topic = "rides"}, Letters()), IsEmpty());
  EXPECT_THAT(Select({.since_ms = 1'006, .until_ms = 1'007}, Letters()),
              ElementsAre("orders/2 orders/2/6 v1@60/120,v2"));
  EXPECT_THAT(
      Select({.from_offset = Offset(2), .to_offset = Offset(3)}, Letters()),
      ElementsAre("orders/2 orders/2/7 v3"));
  EXPECT_THAT(Select({.partition = PartitionId(1)}, Letters()), IsEmpty());
  EXPECT_THAT(Select({.views = {"v3"}, .reasons = {"late"}}, Letters()),
              IsEmpty());
}

TEST(ReplaySelectionTest, TheFirstOfDuplicatesCounts) {
  std::vector<DeadLetter> letters = Letters();
  letters.push_back(letters[1]);
  letters.push_back(letters[3]);
  // The same record for another reason or for other views is another letter.
  letters.push_back(Letter(6, "expression", {"v1", "v2"}, "v1@60/120,v2"));
  letters.push_back(Letter(6, "late", {"v4"}, "v4"));
  ReplaySelection selection(ReplayFilter{});
  EXPECT_EQ(SelectWith(&selection, letters).size(), size_t{6});
  EXPECT_EQ(selection.duplicates(), 2);
  // Going on behind the first of two does not send the second.
  EXPECT_THAT(Select({.from_offset = Offset(4)}, letters),
              ElementsAre("orders/2 orders/2/6 v1@60/120,v2",
                          "orders/2 orders/2/6 v4"));
}

TEST(ReplaySelectionTest, AReplayOfAReplayKeepsTheFirstOrigin) {
  DeadLetter again = Letter(20, "late", {"v1", "v2"}, "v1@60/120,v2");
  again.replay_origin = "orders/2/6";
  EXPECT_THAT(Select({}, {again}),
              ElementsAre("orders/2 orders/2/6 v1@60/120,v2"));
  EXPECT_THAT(Select({}, {Letters()[1], again}),
              ElementsAre("orders/2 orders/2/6 v1@60/120,v2"));
}

TEST(ReplaySelectionTest, WhatCannotBeSentBackIsRefused) {
  ReplaySelection selection(ReplayFilter{});
  const auto reason =
      selection.Take(Letter(1, "lat", {}, ""), PartitionId(0), Offset(0));
  EXPECT_TRUE(absl::IsInvalidArgument(reason.status()));
  EXPECT_THAT(std::string(reason.status().message()),
              HasSubstr("unknown reason \"lat\", did you mean \"late\"?"));
  const auto views =
      selection.Take(Letter(1, "late", {}, "v1@x"), PartitionId(0), Offset(0));
  EXPECT_TRUE(absl::IsInvalidArgument(views.status())) << views.status();
}

}  // namespace
}  // namespace tidegate
