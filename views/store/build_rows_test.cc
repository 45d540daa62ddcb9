#include "views/store/build_rows.h"

#include <gtest/gtest.h>

#include "views/store/materialized_store.h"
#include "views/store/store_testing.h"
#include "views/store/store_version.h"

namespace tidegate {
namespace {

std::string KeyOf(ViewId view, absl::string_view key) {
  std::string bytes;
  EncodeRowKey(view, key, &bytes);
  return bytes;
}

TEST(BuildRows, WhatAChangeLeavesIsWhatIsStored) {
  BuildRows rows(Seq(7));
  EXPECT_TRUE(rows.empty());
  rows.Add(MakeChange(ViewId(1), "a", std::nullopt, "row", "state"));
  rows.Add(MakeChange(ViewId(1), "b", "old", "new", "s"));
  rows.Add(MakeChange(ViewId(1), "c", "gone", std::nullopt, ""));
  rows.Add(MakeChange(ViewId(2), "", std::nullopt, std::nullopt, "hidden"));
  EXPECT_FALSE(rows.empty());
  EXPECT_EQ(rows.counted(), (RowCountChanges{{ViewId(1), 0}}));

  absl::string_view key;
  std::optional<absl::string_view> value;
  Seq seq;
  StoredEntry entry;
  ASSERT_TRUE(rows.Next(&key, &value));
  EXPECT_EQ(key, KeyOf(ViewId(1), "a"));
  ASSERT_TRUE(DecodeStoredRow(*value, &seq, &entry).ok());
  EXPECT_EQ(seq, Seq(7));
  EXPECT_TRUE(entry.has_row);
  EXPECT_EQ(entry.row, "row");
  EXPECT_EQ(entry.state, "state");
  ASSERT_TRUE(rows.Next(&key, &value));
  EXPECT_EQ(key, KeyOf(ViewId(1), "b"));
  ASSERT_TRUE(DecodeStoredRow(*value, &seq, &entry).ok());
  EXPECT_EQ(entry.row, "new");
  ASSERT_TRUE(rows.Next(&key, &value));
  EXPECT_EQ(key, KeyOf(ViewId(1), "c"));
  EXPECT_FALSE(value.has_value());
  ASSERT_TRUE(rows.Next(&key, &value));
  EXPECT_EQ(key, KeyOf(ViewId(2), ""));
  ASSERT_TRUE(DecodeStoredRow(*value, &seq, &entry).ok());
  EXPECT_FALSE(entry.has_row);
  EXPECT_EQ(entry.state, "hidden");
  EXPECT_FALSE(rows.Next(&key, &value));
}

}  // namespace
}  // namespace tidegate
