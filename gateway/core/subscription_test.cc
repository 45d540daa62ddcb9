#include "gateway/core/subscription.h"

#include "absl/strings/str_cat.h"
#include "gateway/core/subscription_test_fixture.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

class SubscriptionTest : public SubscriptionFixture {
 protected:
  void Commit(const FakeStore::Batch& batch) { store_.Commit(batch, now_); }
  void PutMany(int rows, size_t bytes) {
    FakeStore::Batch batch;
    for (int i = 0; i < rows; ++i) {
      const std::string key = absl::StrCat("m", 1000 + i);
      batch[{kTestView, TestKey(key)}] = TestRow(key, std::string(bytes, 'x'));
    }
    Commit(batch);
  }
  void ExpectCurrent() {
    EXPECT_EQ(client_.position, store_.head());
    EXPECT_EQ(client_.rows, store_.At(store_.head())->Rows(kTestView));
    EXPECT_EQ(client_.violation, "");
  }
};

TEST_F(SubscriptionTest, EmptyViewGetsOneEndMarker) {
  Open(TestSpec());
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.ends, 1);
  EXPECT_EQ(client_.position, Seq(0));
  EXPECT_EQ(subscription_->state(), SubscriberState::kLive);
}

TEST_F(SubscriptionTest, RowsOfTheBaseThenTheLogAfterIt) {
  Put("a", "1");
  Put("b", "1");
  store_.MoveBase();
  Put("a", "2");
  Erase("b");
  Open(TestSpec());
  EXPECT_TRUE(Step());
  EXPECT_EQ(client_.rows.size(), 2u);
  EXPECT_TRUE(Step());
  EXPECT_EQ(client_.position, Seq(2));
  Run();
  ExpectCurrent();
  EXPECT_EQ(client_.ends, 1);
  EXPECT_EQ(client_.deletes, 1);
}

TEST_F(SubscriptionTest, AFastOneGetsACommitAMessageASlowOneARange) {
  Open(TestSpec());
  Run();
  Put("a", "1");
  EXPECT_EQ(Run(), 1);
  Put("a", "2");
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.multi_commit_ranges, 0);
  const int upserts = client_.upserts;
  for (int i = 0; i < 50; ++i) Put("a", absl::StrCat("v", i));
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.upserts, upserts + 1) << "one change per key and range";
  EXPECT_EQ(client_.multi_commit_ranges, 1);
  ExpectCurrent();
}

TEST_F(SubscriptionTest, ARowThatCameAndWentWithinARangeIsNotMentioned) {
  Open(TestSpec());
  Run();
  Put("a", "1");
  Erase("a");
  Advance(kDefaultProgressMs);
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.upserts + client_.deletes, 0);
  EXPECT_EQ(client_.progress, 1);
  ExpectCurrent();
}

TEST_F(SubscriptionTest, AChangeOfStateAloneIsNoChange) {
  Put("a", "1");
  Open(TestSpec());
  Run();
  const int upserts = client_.upserts;
  Put("a", "1");
  EXPECT_EQ(Run(), 0);
  EXPECT_EQ(client_.upserts, upserts);
  EXPECT_EQ(subscription_->state(), SubscriberState::kLive);
}

TEST_F(SubscriptionTest, ProgressComesOnScheduleAndMovesTheToken) {
  SubscriptionSpec spec = KeyedSpec({"other"});
  spec.progress_interval_ms = 250;
  Open(spec);
  Run();
  Put("a", "1");
  EXPECT_EQ(Run(), 0);
  Advance(249);
  EXPECT_EQ(Run(), 0);
  Advance(1);
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.progress, 1);
  EXPECT_EQ(client_.position, Seq(1));
  const std::string token = client_.token;
  Reconnect(spec);
  EXPECT_TRUE(Step());  // says at once that the token was honoured
  EXPECT_EQ(client_.resets, 0);
  EXPECT_EQ(client_.token, token);
}

TEST_F(SubscriptionTest, IntervalsHaveALeastValue) {
  SubscriptionSpec spec = TestSpec();
  spec.progress_interval_ms = 0;
  Open(spec);
  Run();
  Advance(kMinProgressMs - 1);
  EXPECT_EQ(Run(), 0);
  Advance(1);
  EXPECT_EQ(Run(), 1);
}

TEST_F(SubscriptionTest, KeysHaveTheirOwnSnapshotAndDeltas) {
  Put("a", "1");
  Put("b", "1");
  Put("c", "1");
  Open(KeyedSpec({"c", "a", "none", "a"}));
  Run();
  EXPECT_EQ(client_.rows.size(), 2u);
  EXPECT_EQ(client_.ends, 1);
  Put("b", "2");
  EXPECT_EQ(Run(), 0);
  FakeStore::Batch batch;
  for (const char* key : {"a", "b", "d", "e", "f", "g", "none"}) {
    batch[{kTestView, TestKey(key)}] = TestRow(key, "3");
  }
  Commit(batch);
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.rows.size(), 3u);
  EXPECT_EQ(client_.rows[TestKey("none")], TestRow("none", "3"));
}

TEST_F(SubscriptionTest, KeysWithoutRowsStillGetAnEndMarker) {
  Open(KeyedSpec({"x"}));
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.ends, 1);
}

TEST_F(SubscriptionTest, OtherViewsChangesAreNotSent) {
  Open(TestSpec());
  Run();
  Commit({{{ViewId(2), TestKey("a")}, TestRow("a", "1")}});
  EXPECT_EQ(Run(), 0);
}

TEST_F(SubscriptionTest, SkipSnapshotStartsAtTheHead) {
  Put("a", "1");
  SubscriptionSpec spec = TestSpec();
  spec.skip_snapshot = true;
  Open(spec);
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.ends, 1);
  EXPECT_EQ(client_.position, Seq(1));
  EXPECT_TRUE(client_.rows.empty());
  Put("b", "1");
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(client_.rows.size(), 1u);
}

TEST_F(SubscriptionTest, ALargeCommitGoesInFragmentsOfOneRange) {
  Open(TestSpec());
  Run();
  PutMany(300, 1000);
  PutMany(300, 1001);
  EXPECT_TRUE(Step());
  EXPECT_TRUE(subscription_->mid_range());
  EXPECT_EQ(client_.position, Seq(0));
  EXPECT_LE(message_.size(), kMaxMessageBytes + 2000);
  Put("z", "later");  // must not slip into the range under way
  while (subscription_->mid_range()) EXPECT_TRUE(Step());
  EXPECT_EQ(client_.position, Seq(1));
  EXPECT_EQ(client_.rows, store_.At(Seq(1))->Rows(kTestView));
  Run();
  EXPECT_GT(client_.fragments, 7);
  ExpectCurrent();
}

TEST_F(SubscriptionTest, ACutWithinFragmentsRepeatsTheRange) {
  Open(TestSpec());
  Run();
  PutMany(300, 1000);
  Step();
  Step();
  Reconnect(TestSpec());
  Run();
  EXPECT_EQ(client_.resets, 0);
  ExpectCurrent();
}

TEST_F(SubscriptionTest, ACutWithinTheSnapshotGoesOnAfterTheLastKey) {
  PutMany(300, 1000);
  store_.MoveBase();
  Open(TestSpec());
  Step();
  const int sent = client_.upserts;
  EXPECT_LT(sent, 100);
  Erase("m1000");  // sent before, gone since
  Erase("m1299");
  Put("m1001", "new");
  store_.MoveBase();
  Reconnect(TestSpec());
  Run();
  EXPECT_EQ(client_.resets, 0);
  EXPECT_EQ(client_.ends, 1);
  EXPECT_EQ(client_.upserts, 300);  // 299 once, and m1001 again
  ExpectCurrent();
}

TEST_F(SubscriptionTest, ASlowReaderGoesOnAtANewerView) {
  PutMany(300, 1000);
  store_.MoveBase();
  Open(TestSpec());
  Step();
  Erase("m1000");
  Put("m1299", "new");
  Put("m0", "before all");
  store_.MoveBase();
  Advance(kMaxSnapshotViewMs + 1);
  Run();
  EXPECT_EQ(client_.ends, 1);
  EXPECT_EQ(client_.resets, 0);
  ExpectCurrent();
}

TEST_F(SubscriptionTest, ARowSeenOnlyInBetweenIsDeletedInThePatch) {
  PutMany(200, 1000);
  store_.MoveBase();
  Open(TestSpec());
  Step();
  Put("m1100x", "brief");  // not there at first, seen in the second view
  store_.MoveBase();
  Advance(kMaxSnapshotViewMs + 1);
  while (client_.rows.count(TestKey("m1100x")) == 0) ASSERT_TRUE(Step());
  Erase("m1100x");
  store_.MoveBase();
  Advance(kMaxSnapshotViewMs + 1);
  Run();
  ExpectCurrent();
  EXPECT_EQ(client_.ends, 1);
}

TEST_F(SubscriptionTest, TrimmedWhileBlockedIsAnExplicitReset) {
  Put("a", "1");
  Open(TestSpec());
  Run();
  subscription_->SetBlocked(true);
  EXPECT_EQ(subscription_->state(), SubscriberState::kBlocked);
  Erase("a");
  Put("b", "1");
  store_.MoveBase();
  store_.Trim(Seq(3));
  subscription_->SetBlocked(false);
  EXPECT_TRUE(Step());
  EXPECT_EQ(subscription_->last_message().reset, ResetCause::kHistoryTrimmed);
  Run();
  EXPECT_EQ(client_.resets, 1);
  EXPECT_EQ(client_.ends, 2);
  ExpectCurrent();
}

TEST_F(SubscriptionTest, ATokenOfAnotherHistoryResetsFirst) {
  Put("a", "1");
  Open(TestSpec());
  Run();
  store_.Restart(std::string(16, 'B'), /*lost=*/1);
  Put("b", "1");
  Reconnect(TestSpec());
  EXPECT_TRUE(Step());
  EXPECT_EQ(subscription_->last_message().reset,
            ResetCause::kUnknownIncarnation);
  Run();
  ExpectCurrent();
}

TEST_F(SubscriptionTest, ARebuiltViewResetsFirst) {
  Open(TestSpec());
  Run();
  SubscriptionSpec spec = TestSpec();
  spec.view_version = 2;
  Reconnect(spec);
  Step();
  EXPECT_EQ(subscription_->last_message().reset, ResetCause::kViewRebuilt);
}

TEST_F(SubscriptionTest, AnothersTokenIsRefused) {
  Open(TestSpec());
  Run();
  EXPECT_EQ(Subscription::Create(KeyedSpec({"a"}), &store_, client_.token)
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Subscription::Create(TestSpec(), &store_, "junk").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SubscriptionTest, DrainHandsOverWhereTheClientIs) {
  PutMany(300, 1000);
  store_.MoveBase();
  for (int steps : {0, 1, 4, 20}) {
    client_ = ClientModel();
    client_.schema = &TestSchema();
    Open(TestSpec());
    for (int i = 0; i < steps; ++i) Step();
    subscription_->Drain(now_, 1500, &message_);
    client_.Apply(message_.Flat());
    EXPECT_EQ(client_.drains, 1);
    EXPECT_EQ(client_.token.empty(), steps == 0);
    Reconnect(TestSpec());
    Run();
    EXPECT_EQ(client_.resets, 0);
    EXPECT_EQ(client_.ends, 1);
    EXPECT_EQ(client_.upserts, 300) << steps;
    ExpectCurrent();
  }
}

TEST_F(SubscriptionTest, ALongScanWithoutNewsStaysBoundedAndMovesOn) {
  Open(KeyedSpec({"none"}));
  Run();
  const Seq before = subscription_->position();
  for (int i = 0; i < 12; ++i) PutMany(600, 900 + i);  // about 1 MB each
  for (int step = 1; step <= 12; ++step) {
    EXPECT_FALSE(Step()) << "found nothing, and no progress is due";
    EXPECT_EQ(subscription_->scanned(), Seq(before.value() + step));
    EXPECT_EQ(subscription_->behind(), step < 12);
  }
  EXPECT_TRUE(subscription_->settled());
  EXPECT_EQ(subscription_->state(), SubscriberState::kLive);
  // Progress is due also on the way.
  for (int i = 0; i < 3; ++i) PutMany(600, 800 + i);
  Advance(kDefaultProgressMs);
  EXPECT_TRUE(Step());
  EXPECT_EQ(client_.progress, 1);
  EXPECT_TRUE(subscription_->behind());
  EXPECT_EQ(client_.upserts, 0);
}

}  // namespace
}  // namespace tidegate
