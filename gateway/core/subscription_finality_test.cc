// Finality of the rows that a stream carries: snapshot, patch, deltas,
// fragments.
#include "absl/strings/str_cat.h"
#include "gateway/core/client_model.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/subscription.h"
#include "gateway/core/testing.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int64_t kMs = 1000;

// Windows that close by and by: the watermark of commit N is N.
class SubscriptionFinalityTest : public testing::Test {
 protected:
  SubscriptionFinalityTest() { Forget(); }

  void PutUntil(absl::string_view key, absl::string_view value, int64_t end) {
    store_.Commit({{{kTestView, TestKey(key)}, WindowedRow(key, value, end)}},
                  now_);
  }
  void Pass(int commits) {
    for (int i = 0; i < commits; ++i) store_.Commit({}, now_);
  }
  void Open(absl::string_view token = "",
            SubscriptionSpec spec = WindowedSpec()) {
    auto made = Subscription::Create(std::move(spec), &store_, token);
    ASSERT_TRUE(made.ok()) << made.status();
    subscription_ = *std::move(made);
    client_.Disconnected();
  }
  // Sends one message; false if there was none.
  bool Step() {
    Message message;
    const auto sent = subscription_->Next(now_, &message);
    EXPECT_TRUE(sent.ok()) << sent.status();
    if (!sent.ok() || !*sent) return false;
    client_.Apply(message.Flat());
    EXPECT_EQ(client_.violation, "");
    return true;
  }
  int Run() {
    int messages = 0;
    while (Step()) ++messages;
    return messages;
  }
  void Advance(int64_t ms) { now_ = ProcessingTime(now_.value() + ms * kMs); }
  void Forget() {
    client_ = ClientModel();
    client_.schema = &WindowedSchema();
    client_.window_column = kTestWindowColumn;
  }
  Finality Held(absl::string_view key) {
    const auto at = client_.finality.find(TestKey(key));
    return at == client_.finality.end() ? Finality::kUnspecified : at->second;
  }

  FakeStore store_{std::string(16, 'A'), TestWindow()};
  ProcessingTime now_{1'000'000'000};
  std::unique_ptr<Subscription> subscription_;
  ClientModel client_;
};

TEST_F(SubscriptionFinalityTest, SnapshotRowsAreJudgedByItsWatermark) {
  PutUntil("open", "1", 5);
  PutUntil("shut", "1", 4);
  PutUntil("late", "1", 2);
  PutUntil("late", "2", 2);
  store_.MoveBase();
  SubscriptionSpec keyed = WindowedSpec();
  keyed.filter.all_rows = false;
  for (const char* key : {"open", "shut", "late"}) {
    keyed.filter.keys.push_back(TestKey(key));
  }
  for (const SubscriptionSpec& spec : {WindowedSpec(), keyed}) {
    Forget();
    Open("", spec);
    Run();
    EXPECT_EQ(Held("open"), Finality::kProvisional);
    EXPECT_EQ(Held("shut"), Finality::kFinal);
    EXPECT_EQ(Held("late"), Finality::kCorrected);
  }
}

TEST_F(SubscriptionFinalityTest, DeltasAreJudgedByTheEndOfTheirRange) {
  Open();
  Run();
  PutUntil("a", "1", 3);
  Run();
  EXPECT_EQ(Held("a"), Finality::kProvisional);
  PutUntil("a", "2", 3);
  Pass(1);
  Run();
  EXPECT_EQ(Held("a"), Finality::kFinal) << "changed in time, passed since";
  PutUntil("a", "3", 3);
  PutUntil("b", "1", 5);
  PutUntil("c", "1", 9);
  PutUntil("b", "2", 5);  // the range's first change of it was in time
  Run();
  EXPECT_EQ(Held("a"), Finality::kCorrected);
  EXPECT_EQ(Held("b"), Finality::kCorrected);
  EXPECT_EQ(Held("c"), Finality::kProvisional);
}

TEST_F(SubscriptionFinalityTest, AMarkWithoutOtherBytesIsSent) {
  PutUntil("a", "1", 1);
  Open();
  Run();
  EXPECT_EQ(Held("a"), Finality::kFinal);
  PutUntil("a", "1", 1);  // late, and it did not alter the row
  EXPECT_EQ(Run(), 1);
  EXPECT_EQ(Held("a"), Finality::kCorrected);
  const int upserts = client_.upserts;
  PutUntil("open", "1", 99);
  PutUntil("open", "1", 99);
  Run();
  EXPECT_EQ(client_.upserts, upserts + 1) << "an open row's state is no change";
}

TEST_F(SubscriptionFinalityTest, FragmentsAreJudgedByTheRangeTheyBelongTo) {
  Open();
  Run();
  FakeStore::Batch batch;
  for (int i = 0; i < 300; ++i) {
    const std::string key = absl::StrCat("m", 1000 + i);
    batch[{kTestView, TestKey(key)}] =
        WindowedRow(key, std::string(1000, 'x'), i % 4);
  }
  store_.Commit(batch, now_);
  EXPECT_TRUE(Step());
  EXPECT_TRUE(subscription_->mid_range());
  Pass(1);  // must not judge the range under way
  Run();
  EXPECT_GT(client_.fragments, 3);
  EXPECT_EQ(Held("m1001"), Finality::kFinal);
  EXPECT_EQ(Held("m1002"), Finality::kProvisional);
}

// The snapshot's end closes the window, but the log before it still changes the
// row: only the last word on it may be called final. Cut off there, the resumed
// stream says the same, and its watermark does not move back.
TEST_F(SubscriptionFinalityTest, APatchDoesNotCallFinalWhatItStillChanges) {
  const auto put_all = [&](char fill) {
    FakeStore::Batch batch;
    for (int i = 0; i < 300; ++i) {
      const std::string key = absl::StrCat("m", 1000 + i);
      batch[{kTestView, TestKey(key)}] =
          WindowedRow(key, std::string(1000, fill), i == 0 ? 4 : 99);
    }
    store_.Commit(batch, now_);
  };
  put_all('x');
  store_.MoveBase();
  Open();
  EXPECT_TRUE(Step());
  EXPECT_EQ(Held("m1000"), Finality::kProvisional);
  put_all('y');  // takes a range of its own
  PutUntil("m1000", "last", 4);
  Pass(1);
  store_.MoveBase();
  Advance(kMaxSnapshotViewMs + 1);
  const std::string next = WindowedRow("m1000", std::string(1000, 'y'), 4);
  int cuts = 0;
  while (Step()) {
    const bool patched = client_.rows[TestKey("m1000")] == next;
    const bool last =
        client_.rows[TestKey("m1000")] == WindowedRow("m1000", "last", 4);
    EXPECT_EQ(Held("m1000"), last ? Finality::kFinal : Finality::kProvisional);
    if (patched && cuts++ == 0) Open(client_.token);
  }
  EXPECT_GT(cuts, 1);
  EXPECT_EQ(Held("m1000"), Finality::kFinal);
  EXPECT_EQ(client_.watermark, 4);
  EXPECT_EQ(client_.ends, 1);
}

}  // namespace
}  // namespace tidegate
