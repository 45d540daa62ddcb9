// Subscribers who are far behind, and ranges that several of them share.
#include "absl/strings/str_cat.h"
#include "gateway/core/subscription_test_fixture.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

class SubscriptionCatchUpTest : public SubscriptionFixture {
 protected:
  // Commits that concern nobody here.
  void Pass(uint64_t commits) {
    for (uint64_t i = 0; i < commits; ++i) Put("else", absl::StrCat(i));
  }
};

TEST_F(SubscriptionCatchUpTest, FarBehindTheKeysAreReadAndNotTheLog) {
  for (const char* key : {"gone", "new", "same"}) Put(key, "1");
  Open(KeyedSpec({"came", "gone", "never", "new", "same"}));
  Run();
  Put("new", "2");
  Erase("gone");
  Put("came", "1");
  Pass(kStateCatchUpCommits);
  const int64_t reads = store_.log_reads();
  client_.upserts = 0;
  EXPECT_TRUE(Step());
  EXPECT_LE(store_.log_reads(), reads + 1) << "for the time of the last commit";
  EXPECT_EQ(client_.position, store_.head());
  EXPECT_EQ(client_.upserts, 2) << "what has not changed is not sent";
  EXPECT_EQ(client_.rows.size(), 3u);
  EXPECT_EQ(client_.rows[TestKey("new")], TestRow("new", "2"));
  EXPECT_TRUE(subscription_->settled());
}

TEST_F(SubscriptionCatchUpTest, NothingFoundIsNoMessage) {
  Put("a", "1");
  Open(KeyedSpec({"a"}));
  Run();
  Pass(kStateCatchUpCommits + 1);
  EXPECT_FALSE(Step());
  EXPECT_EQ(subscription_->scanned(), store_.head());
  EXPECT_TRUE(subscription_->settled());
}

TEST_F(SubscriptionCatchUpTest, RowsThatNoLongerMatchHaveLeft) {
  Put("in", "yes");
  Put("out", "no");
  Put("turns", "yes");
  Put("enters", "no");
  Open(WhereSpec("v = 'yes'", KeyedSpec({"enters", "in", "out", "turns"})));
  Run();
  EXPECT_EQ(client_.rows.size(), 2u);
  Put("turns", "no");
  Put("enters", "yes");
  Pass(kStateCatchUpCommits);
  EXPECT_TRUE(Step());
  EXPECT_EQ(client_.lefts, 1);
  EXPECT_TRUE(Holds("in"));
  EXPECT_TRUE(Holds("enters"));
  EXPECT_FALSE(Holds("turns"));
  EXPECT_EQ(client_.position, store_.head());
}

TEST_F(SubscriptionCatchUpTest, ATrimmedHistoryStillIsAnExplicitReset) {
  Put("a", "1");
  Open(KeyedSpec({"a"}));
  Run();
  Pass(2 * kStateCatchUpCommits);
  store_.MoveBase();
  store_.Trim(Seq(10));
  EXPECT_TRUE(Step());
  EXPECT_EQ(subscription_->last_message().reset, ResetCause::kHistoryTrimmed);
  Run();
  EXPECT_EQ(client_.position, store_.head());
}

TEST_F(SubscriptionCatchUpTest, NearTheHeadTheLogIsRead) {
  Put("a", "1");
  Open(KeyedSpec({"a", "b"}));
  Run();
  Pass(kStateCatchUpCommits);
  EXPECT_EQ(Run(), 0);
  EXPECT_EQ(client_.deletes, 0) << "b never was, and nothing says it was not";
}

TEST_F(SubscriptionCatchUpTest, RowsThatNeedSeveralMessagesComeFromTheLog) {
  SubscriptionSpec spec = KeyedSpec({});
  FakeStore::Batch batch;
  for (int i = 0; i < 60; ++i) {
    const std::string key = absl::StrCat("m", 1000 + i);
    spec.filter.keys.push_back(TestKey(key));
    batch[{kTestView, TestKey(key)}] = TestRow(key, std::string(2000, 'x'));
  }
  Open(spec);
  Run();
  store_.Commit(batch, now_);
  Pass(kStateCatchUpCommits * 2);
  Run();
  EXPECT_EQ(client_.rows.size(), 60u);
  EXPECT_GT(client_.fragments, 0);
  EXPECT_EQ(client_.deletes, 0);
  EXPECT_EQ(subscription_->scanned(), store_.head());
}

TEST_F(SubscriptionCatchUpTest, TheSecondOfAFilterGetsTheBytesOfTheFirst) {
  SubscriptionSpec spec = WhereSpec("v <> 'hidden'");
  spec.ranges = &ranges_;
  Open(spec);
  Run();
  auto second = Subscription::Create(spec, &store_, client_.token).value();
  SubscriptionSpec other = WhereSpec("v <> 'other'");
  other.ranges = &ranges_;
  auto alone = Subscription::Create(other, &store_, "").value();
  Message message;
  while (*second->Next(now_, &message)) {
  }
  while (*alone->Next(now_, &message)) {
  }
  Put("a", "1");
  Put("b", "hidden");
  ASSERT_TRUE(*alone->Next(now_, &message));
  EXPECT_EQ(message.shared, nullptr) << "kept for nobody else";
  EXPECT_EQ(ranges_.size(), 0u);
  ASSERT_TRUE(Step());
  const SharedBytes bytes = message_.shared;
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(ranges_.size(), 1u);
  const int64_t reads = store_.log_reads();
  ASSERT_TRUE(*second->Next(now_, &message));
  EXPECT_EQ(store_.log_reads(), reads);
  EXPECT_EQ(message.shared, bytes);
  EXPECT_EQ(message.Flat(), message_.Flat());
  EXPECT_EQ(second->last_message().changes, 1u);
  EXPECT_EQ(second->last_message().oldest_commit,
            subscription_->last_message().oldest_commit);
  // Who comes later reads more than was kept.
  Put("a", "2");
  auto third = Subscription::Create(spec, &store_, client_.token).value();
  ASSERT_TRUE(*third->Next(now_, &message));  // it is told where it stands
  ASSERT_TRUE(*third->Next(now_, &message));
  EXPECT_EQ(third->position(), store_.head());
}

TEST_F(SubscriptionCatchUpTest, KeySetsThatGrowShareNothing) {
  SubscriptionSpec spec = KeyedSpec({"a"});
  spec.filter.growing = true;
  spec.ranges = &ranges_;
  Open(spec);
  auto second = Subscription::Create(spec, &store_, "").value();
  Message message;
  while (*second->Next(now_, &message)) {
  }
  Run();
  Put("a", "1");
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(message_.shared, nullptr);
  EXPECT_EQ(ranges_.size(), 0u);
}

}  // namespace
}  // namespace tidegate
