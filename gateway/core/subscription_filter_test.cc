// What a filter lets through: prefixes, conditions, the kinds of changes; and
// how often: min_interval.
#include "absl/strings/str_cat.h"
#include "gateway/core/subscription_test_fixture.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

class SubscriptionFilterTest : public SubscriptionFixture {
 protected:
  static SubscriptionSpec Prefix(const std::string& text) {
    SubscriptionSpec spec = TestSpec();
    const std::string key = TestKey(text);
    spec.filter.prefix = key.substr(0, key.find(text) + text.size());
    return spec;
  }
  static SubscriptionSpec Interval(int64_t ms) {
    SubscriptionSpec spec = TestSpec();
    spec.min_interval_ms = ms;
    return spec;
  }
  // Opens a stream of the rows whose value is 'in'; "a" has `first`.
  void OpenIn(const char* first) {
    if (first != nullptr) Put("a", first);
    Open(WhereSpec("v = 'in'"));
    Run();
    client_.upserts = client_.deletes = client_.lefts = 0;
  }
  std::string Heard() {
    Run();
    return absl::StrCat(client_.upserts, client_.lefts, client_.deletes);
  }
};

TEST_F(SubscriptionFilterTest, APrefixHasItsRowsAndTheirChanges) {
  for (const char* key : {"a", "ab1", "ab2", "ac"}) Put(key, "1");
  store_.MoveBase();
  Open(Prefix("ab"));
  Run();
  EXPECT_EQ(client_.rows.size(), 2u);
  for (const char* key : {"a", "ab1", "ab3", "ac", "b"}) Put(key, "2");
  Erase("ab2");
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.rows.size(), 2u);
  EXPECT_EQ(client_.rows[TestKey("ab1")], TestRow("ab1", "2"));
  EXPECT_EQ(client_.deletes, 1);
}

TEST_F(SubscriptionFilterTest, ARowEntersStaysAndLeaves) {
  OpenIn("out");
  EXPECT_FALSE(Holds("a"));
  Put("a", "in");
  EXPECT_EQ(Heard(), "100");
  Put("a", "out");
  EXPECT_EQ(Heard(), "110");
  Put("a", "out again");
  EXPECT_EQ(Heard(), "110") << "what does not match concerns nobody";
  Erase("a");
  EXPECT_EQ(Heard(), "110");
  Put("a", "in");
  Erase("a");
  EXPECT_EQ(Heard(), "110") << "came and went within a range";
  EXPECT_EQ(client_.rows.size(), 0u);
}

// Per key and range: from the first row before and the last row after.
TEST_F(SubscriptionFilterTest, KindsOfAConflatedRange) {
  struct Case {
    const char* first;  // null: no row
    std::vector<const char*> then;
    const char* heard;  // upserts, lefts, deletes
  };
  const char* const none = nullptr;
  for (const Case& c : std::vector<Case>{
           {"in", {"out", "in"}, "100"},
           {"in", {"out"}, "010"},
           {"in", {none}, "001"},
           {"in", {"out", none}, "001"},
           {"in", {none, "out"}, "010"},
           {"in", {none, "in"}, "100"},
           {"out", {"in"}, "100"},
           {"out", {"in", "out"}, "000"},
           {"out", {"in", none}, "000"},
           {"out", {none}, "000"},
           {none, {"in"}, "100"},
           {none, {"out"}, "000"},
           {none, {"in", none}, "000"},
           {none, {"in", "out"}, "000"},
       }) {
    store_.Commit({{{kTestView, TestKey("a")}, std::nullopt}}, now_);
    OpenIn(c.first);
    for (const char* value : c.then) {
      if (value == none) {
        Erase("a");
      } else {
        Put("a", value);
      }
    }
    EXPECT_EQ(Heard(), c.heard)
        << (c.first == none ? "-" : c.first) << " … " << c.then.size() << " "
        << (c.then.back() == none ? "-" : c.then.back());
    client_ = ClientModel();
    client_.schema = &TestSchema();
  }
}

TEST_F(SubscriptionFilterTest, TheConditionIsForRowsOfTheKeysOnly) {
  SubscriptionSpec spec = WhereSpec("v = 'in'", KeyedSpec({"a", "b"}));
  for (const char* key : {"a", "c"}) Put(key, "in");
  Put("b", "out");
  Open(spec);
  Run();
  EXPECT_EQ(client_.rows.size(), 1u);
  Put("b", "in");
  Put("c", "in");
  Put("a", "out");
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.rows.size(), 1u);
  EXPECT_TRUE(Holds("b"));
  EXPECT_EQ(client_.lefts, 1);
}

TEST_F(SubscriptionFilterTest, WhatASnapshotHasSentIsTakenBackInItsPatch) {
  FakeStore::Batch rows;
  for (int i = 0; i < 200; ++i) {
    const std::string key = absl::StrCat("m", 1000 + i);
    rows[{kTestView, TestKey(key)}] =
        TestRow(key, absl::StrCat("in", std::string(1000, 'x')));
  }
  store_.Commit(rows, now_);
  store_.MoveBase();
  const SubscriptionSpec spec = WhereSpec("v LIKE 'in%'");
  Open(spec);
  Step();
  ASSERT_TRUE(Holds("m1000"));
  Put("m1000", "out");
  Put("m1150", "out");  // not sent yet
  Put("m1150x", "in brief");
  store_.MoveBase();
  Reconnect(spec);
  while (!Holds("m1150x")) ASSERT_TRUE(Step());
  EXPECT_FALSE(Holds("m1150"));
  Put("m1150x", "out");  // it did not match at first nor does it at last
  store_.MoveBase();
  Advance(kMaxSnapshotViewMs + 1);
  Run();
  EXPECT_EQ(client_.ends, 1);
  EXPECT_EQ(client_.rows.size(), 198u);
}

TEST_F(SubscriptionFilterTest, ATokenIsForItsConditionOnly) {
  Open(WhereSpec("v = 'in'"));
  Run();
  Open(WhereSpec("V='in'"), client_.token);  // the same
  for (const SubscriptionSpec& other :
       {TestSpec(), WhereSpec("v = 'out'"), Prefix("a")}) {
    EXPECT_EQ(
        Subscription::Create(other, &store_, client_.token).status().code(),
        absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(SubscriptionFilterTest, AtMostOneRangeAnInterval) {
  Open(Interval(200));
  Run();
  Advance(200);
  Put("a", "1");
  EXPECT_EQ(Run(), 1);
  EXPECT_TRUE(subscription_->settled());
  Advance(50);
  for (int i = 0; i < 5; ++i) Put("a", absl::StrCat("v", i));
  EXPECT_EQ(Run(), 0);
  EXPECT_FALSE(subscription_->settled()) << "something is withheld";
  EXPECT_FALSE(subscription_->behind());
  EXPECT_EQ(subscription_->state(), SubscriberState::kLive);
  EXPECT_EQ(subscription_->due().value(), now_.value() + 150'000);
  const int64_t reads = store_.log_reads();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Run(), 0);
  EXPECT_EQ(store_.log_reads(), reads) << "the log is not read in vain";
  Advance(149);
  EXPECT_EQ(Run(), 0);
  Advance(1);
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.upserts, 2);
  EXPECT_EQ(client_.position, store_.head());
  EXPECT_TRUE(subscription_->settled());
}

TEST_F(SubscriptionFilterTest, ProgressIsNoMoreFrequentThanTheInterval) {
  Open(Interval(5000));
  Run();
  EXPECT_EQ(subscription_->due().value(), now_.value() + 5'000'000);
  Advance(4999);
  EXPECT_EQ(Run(), 0);
  Advance(1);
  EXPECT_EQ(Run(), 1);
}

TEST_F(SubscriptionFilterTest, AnIntervalHoldsBackNoSnapshotResetNorDrain) {
  Put("a", "1");
  store_.MoveBase();
  Put("b", "1");
  Open(Interval(10'000));
  Run();
  EXPECT_EQ(client_.ends, 1);
  EXPECT_EQ(client_.position, store_.head()) << "who is behind need not wait";
  Put("a", "2");
  EXPECT_EQ(Run(), 0);
  subscription_->Drain(now_, 10, &message_);
  client_.Apply(message_.Flat());
  EXPECT_EQ(client_.drains, 1);
  Reconnect(Interval(10'000));
  Run();
  EXPECT_EQ(client_.position, store_.head());
  Put("a", "3");
  Put("a", "4");
  store_.MoveBase();
  store_.Trim(store_.head());
  Advance(10'000);
  Run();
  EXPECT_EQ(client_.resets, 1);
  EXPECT_EQ(client_.ends, 2);
}

TEST_F(SubscriptionFilterTest, AFragmentedRangeIsOneWithinItsInterval) {
  Open(Interval(200));
  Run();
  Advance(200);
  FakeStore::Batch batch;
  for (int i = 0; i < 600; ++i) {
    const std::string key = absl::StrCat("m", 1000 + i);
    batch[{kTestView, TestKey(key)}] = TestRow(key, std::string(1000, 'x'));
  }
  store_.Commit(batch, now_);
  store_.Commit(batch, now_);
  EXPECT_GT(Run(), 5) << "the parts follow one another at once";
  EXPECT_EQ(client_.multi_commit_ranges, 1);
  EXPECT_EQ(client_.position, store_.head());
}

}  // namespace
}  // namespace tidegate
