#include "gateway/core/session.h"

#include <string>
#include <utility>
#include <vector>

#include "gateway/core/session_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SessionTest : public testing::Test {
 protected:
  ~SessionTest() override { EXPECT_EQ(world_.client.FirstViolation(), ""); }
  void Change(uint32_t id, uint64_t request,
              std::initializer_list<const char*> add,
              std::initializer_list<const char*> remove = {}) {
    world_.session->ChangeKeys(id, request, TestKeys(add), TestKeys(remove));
  }
  SessionModel::WatchModel& Client(uint32_t id) {
    return world_.client.watches.at(id);
  }
  bool Holds(uint32_t id, absl::string_view key, absl::string_view value) {
    const ModelRows& rows = world_.model(id).rows;
    const auto at = rows.find(TestKey(key));
    return at != rows.end() && at->second == TestRow(key, value);
  }
  // Rows of `bytes` bytes, together.
  std::vector<std::string> PutMany(int count, size_t bytes) {
    std::vector<std::string> keys;
    FakeStore::Batch batch;
    for (int i = 0; i < count; ++i) {
      const std::string key = absl::StrCat("many", 1000 + i);
      keys.push_back(TestKey(key));
      batch[{kTestView, keys.back()}] = TestRow(key, std::string(bytes, 'x'));
    }
    world_.store.Commit(batch, world_.now);
    return keys;
  }

  SessionWorld world_;
};

TEST_F(SessionTest, WhatACommitChangesForAllTravelsInOneMessage) {
  world_.Put("a", "1");
  world_.Add(1, GrowingSpec({"a"}));
  world_.Add(2, GrowingSpec({"a", "b"}));
  world_.Add(3, TestSpec());
  world_.Add(4, GrowingSpec({"c"}));
  world_.Run();
  const int before = world_.client.messages;
  const int updates = world_.client.updates;
  world_.store.Commit({{{kTestView, TestKey("a")}, TestRow("a", "2")},
                       {{kTestView, TestKey("b")}, TestRow("b", "2")}},
                      world_.now);
  EXPECT_EQ(world_.Run(), 1);
  EXPECT_EQ(world_.client.messages, before + 1);
  EXPECT_EQ(world_.client.updates, updates + 3);
  EXPECT_TRUE(Holds(1, "a", "2"));
  EXPECT_FALSE(Holds(1, "b", "2"));
  EXPECT_TRUE(Holds(2, "b", "2"));
  EXPECT_TRUE(Holds(3, "b", "2"));
}

TEST_F(SessionTest, KeysThatComeAreAnsweredWhetherTheyHaveRowsOrNot) {
  world_.Put("a", "1");
  world_.Put("b", "1");
  world_.Add(1, GrowingSpec({"a"}));
  world_.Run();
  EXPECT_FALSE(Holds(1, "b", "1"));
  Change(1, 7, {"b", "none", "b"});
  EXPECT_EQ(world_.Run(), 1);
  EXPECT_TRUE(Holds(1, "b", "1"));
  EXPECT_EQ(world_.model(1).deletes, 1);
  EXPECT_THAT(Client(1).applied, ElementsAre(7));
  world_.Put("none", "2");
  world_.Put("b", "2");
  world_.Run();
  EXPECT_TRUE(Holds(1, "none", "2"));
  EXPECT_TRUE(Holds(1, "b", "2"));
}

TEST_F(SessionTest, AnAnswerIsAtThePositionOfItsRange) {
  world_.Add(1, GrowingSpec({"a"}));
  world_.Run();
  // The registry has told nobody yet.
  world_.Put("a", "1");
  world_.Put("b", "1");
  Change(1, 1, {"b"});
  EXPECT_TRUE(world_.Step());
  EXPECT_TRUE(Holds(1, "a", "1"));
  EXPECT_TRUE(Holds(1, "b", "1"));
  EXPECT_EQ(world_.model(1).position, world_.store.head());
  EXPECT_THAT(Client(1).applied, ElementsAre(1));
}

TEST_F(SessionTest, OfKeysThatHaveGoneNothingIsTold) {
  world_.Put("a", "1");
  world_.Add(1, GrowingSpec({"a", "b"}));
  world_.Run();
  Change(1, 1, {"c"}, {"a"});
  world_.Run();
  EXPECT_THAT(Client(1).applied, ElementsAre(1));
  const int upserts = world_.model(1).upserts;
  world_.Put("a", "2");
  EXPECT_EQ(world_.Run(), 0);
  EXPECT_EQ(world_.model(1).upserts, upserts);
  world_.Put("c", "2");
  world_.Run();
  EXPECT_TRUE(Holds(1, "c", "2"));
}

TEST_F(SessionTest, RequestsThatWaitAreAnsweredTogetherInOrder) {
  world_.Put("b", "1");
  world_.Add(1, GrowingSpec({"a"}));
  world_.Run();
  Change(1, 3, {"b"});
  Change(1, 4, {"c"}, {"b"});
  Change(1, 9, {}, {"unknown"});
  EXPECT_EQ(world_.Run(), 1);
  EXPECT_THAT(Client(1).applied, ElementsAre(3, 4, 9));
  // Of what has gone again nothing is told.
  EXPECT_FALSE(Holds(1, "b", "1"));
  world_.Put("b", "2");
  EXPECT_EQ(world_.Run(), 0);
}

// At the first's keys_applied a client drops the key and what it holds of it:
// its row has to come after that, if in the same message.
TEST_F(SessionTest, AKeyThatComesAgainIsToldAfterItHasGone) {
  world_.Put("a", "1");
  world_.Add(1, GrowingSpec({"a", "b"}));
  Client(1).keys.emplace({TestKey("a"), TestKey("b")});
  world_.Run();
  const auto ask = [this](uint64_t number, std::vector<std::string> add,
                          std::vector<std::string> remove) {
    world_.session->ChangeKeys(1, number, add, remove);
    Client(1).asked.push_back({number, std::move(add), std::move(remove)});
  };
  ask(1, {}, TestKeys({"a"}));
  ask(2, TestKeys({"a"}), {});
  world_.Run();
  EXPECT_THAT(Client(1).applied, ElementsAre(1, 2));
  EXPECT_TRUE(Holds(1, "a", "1"));
  EXPECT_EQ(world_.model(1).upserts, 2);  // of the snapshot and of 2
  // In one request nothing goes.
  ask(3, TestKeys({"a"}), TestKeys({"a"}));
  ask(4, TestKeys({"c"}), TestKeys({"a"}));
  ask(5, TestKeys({"a"}), {});
  world_.Run();
  EXPECT_THAT(Client(1).applied, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_TRUE(Holds(1, "a", "1"));
  world_.Put("a", "2");
  world_.Run();
  EXPECT_TRUE(Holds(1, "a", "2"));
}

TEST_F(SessionTest, KeysThatComeBeforeTheSnapshotHasEnded) {
  for (const char* key : {"a", "b"}) world_.Put(key, "1");
  world_.Add(1, GrowingSpec({"a"}));
  Change(1, 1, {"b"});
  world_.Run();
  EXPECT_EQ(world_.model(1).ends, 1);
  EXPECT_TRUE(Holds(1, "a", "1"));
  EXPECT_TRUE(Holds(1, "b", "1"));
  EXPECT_THAT(Client(1).applied, ElementsAre(1));
}

TEST_F(SessionTest, AnAnswerOfAddedKeysKnowsTheFilter) {
  world_.Put("a", "no");
  world_.Put("b", "yes");
  SubscriptionSpec spec = GrowingSpec({"x"});
  spec.filter.where = RowFilter::Compile("v = 'yes'", TestSchema()).value();
  world_.Add(1, spec);
  world_.Run();
  Change(1, 1, {"a", "b"});
  world_.Run();
  EXPECT_TRUE(Holds(1, "b", "yes"));
  EXPECT_EQ(world_.model(1).rows.size(), 1u);
  EXPECT_EQ(world_.model(1).deletes, 1);
  world_.Put("a", "yes");
  world_.Put("b", "no");
  world_.Run();
  EXPECT_TRUE(Holds(1, "a", "yes"));
  EXPECT_EQ(world_.model(1).lefts, 1);
}

TEST_F(SessionTest, ALargeAnswerComesInFragmentsAndOthersGoBetween) {
  world_.Add(1, GrowingSpec({"a"}));
  world_.Add(2, GrowingSpec({"z"}));
  world_.Run();
  std::vector<std::string> keys = PutMany(500, 1000);
  world_.session->ChangeKeys(1, 5, keys, std::vector<std::string>());
  EXPECT_TRUE(world_.Step());
  EXPECT_TRUE(world_.session->mid_range());
  EXPECT_TRUE(Client(1).applied.empty());
  // A change of what has been sent, one of what has not, and another watch's.
  world_.Put("many1000", "new");
  world_.Put("many1499", "new");
  world_.Put("z", "1");
  world_.registry.Tell();
  while (!Holds(2, "z", "1")) ASSERT_TRUE(world_.Step());
  EXPECT_TRUE(world_.session->mid_range());
  world_.Pass(kMaxHeadViewMs + 1);  // goes on with newer rows
  world_.Run();
  EXPECT_FALSE(world_.session->mid_range());
  EXPECT_GT(world_.model(1).fragments, 5);
  EXPECT_THAT(Client(1).applied, ElementsAre(5));
  EXPECT_EQ(world_.model(1).rows.size(), 500u);
  EXPECT_TRUE(Holds(1, "many1000", "new"));
  EXPECT_TRUE(Holds(1, "many1499", "new"));
}

TEST_F(SessionTest, AResetInTheMiddleOfAnAnswer) {
  world_.Add(1, GrowingSpec({"a"}));
  world_.Run();
  std::vector<std::string> keys = PutMany(500, 1000);
  // The snapshot is to be of the keys that the client had.
  Client(1).keys.emplace({TestKey("a")});
  Client(1).asked.push_back({5, keys, {}});
  world_.session->ChangeKeys(1, 5, keys, std::vector<std::string>());
  EXPECT_TRUE(world_.Step());
  for (int i = 0; i < 10; ++i) world_.Put("a", absl::StrCat(i));
  world_.store.MoveBase();
  world_.store.Trim(world_.store.head());
  world_.Put("a", "last");
  world_.Pass(kMaxHeadViewMs + 1);
  world_.Run();
  EXPECT_EQ(world_.model(1).resets, 1);
  EXPECT_THAT(Client(1).applied, ElementsAre(5));
  EXPECT_EQ(world_.model(1).rows.size(), 501u);
}

TEST_F(SessionTest, ATokenDoesNotDependOnTheKeys) {
  world_.Put("a", "1");
  world_.Add(1, GrowingSpec({"a"}));
  world_.Run();
  Change(1, 1, {"b"});
  world_.Run();
  const std::string token = world_.model(1).token;
  world_.session = Session::Create(&world_.registry);
  world_.Put("b", "2");
  world_.model(1).Disconnected();
  world_.Add(1, GrowingSpec({"a", "b"}), token);
  world_.Run();
  EXPECT_TRUE(Holds(1, "b", "2"));
  EXPECT_EQ(world_.model(1).ends, 1);
}

TEST_F(SessionTest, WhatIsWrongWithOneWatchEndsThatOne) {
  world_.Add(1, GrowingSpec({"a"}));
  world_.Add(2, TestSpec());
  world_.client.Expect(3);
  world_.client.Expect(4);
  world_.session->AddWatch(3, absl::InvalidArgumentError("bad view"));
  Change(2, 1, {"x"});
  Change(4, 2, {"x"});
  world_.Run();
  EXPECT_EQ(Client(3).failure, 3);
  EXPECT_EQ(Client(3).failure_message, "bad view");
  EXPECT_EQ(Client(2).failure, 3);
  EXPECT_THAT(Client(2).failure_message, HasSubstr("has no keys"));
  EXPECT_EQ(Client(4).failure, 5);
  EXPECT_EQ(world_.registry.watches.size(), 1u);
  world_.Put("a", "1");
  world_.Run();
  EXPECT_TRUE(Holds(1, "a", "1"));
  // An id is taken: both ends must agree that it has ended.
  world_.session->AddWatch(1, world_.MakeWatch(GrowingSpec({"b"})));
  world_.Run();
  EXPECT_EQ(Client(1).failure, 6);
  EXPECT_TRUE(world_.registry.index.empty());
}

TEST_F(SessionTest, NothingIsLeftOfAWatchThatHasGone) {
  world_.Put("a", "1");
  world_.Add(1, GrowingSpec({"a"}));
  world_.Run();
  Change(1, 1, {"b"});
  Change(1, 2, {"c"}, {"a"});
  world_.Run();
  Change(1, 3, {"d"});
  world_.session->RemoveWatch(1);
  world_.session->RemoveWatch(77);
  EXPECT_TRUE(world_.registry.index.empty());
  world_.Put("b", "1");
  EXPECT_EQ(world_.Run(), 0);
  EXPECT_TRUE(world_.session->accepts_requests());
  EXPECT_EQ(world_.stats.view("things").subscribers[0].load(), 0);
}

TEST_F(SessionTest, LimitsAreToldInAFailure) {
  for (uint32_t id = 0; id <= kMaxWatchesPerSession; ++id) {
    world_.Add(id, GrowingSpec({"a"}));
  }
  world_.Run();
  EXPECT_EQ(world_.registry.watches.size(), kMaxWatchesPerSession);
  EXPECT_EQ(Client(kMaxWatchesPerSession).failure, 8);
  std::vector<std::string> keys;
  for (size_t i = 0; i < kMaxKeysPerSession; ++i) {
    keys.push_back(TestKey(absl::StrCat(i)));
  }
  world_.session->ChangeKeys(1, 1, keys, std::vector<std::string>());
  world_.Run();
  EXPECT_EQ(Client(1).failure, 8);
  EXPECT_THAT(Client(1).failure_message, HasSubstr("limit 100000"));
  world_.registry.max_watches = 0;
  world_.client.Expect(5000);
  world_.session->AddWatch(5000, world_.MakeWatch(TestSpec()));
  world_.Run();
  EXPECT_EQ(Client(5000).failure, 8);
}

TEST_F(SessionTest, RequestsAreLeftUnreadWhileTooManyWait) {
  world_.Add(1, GrowingSpec({"a"}));
  for (size_t i = 0; i < kMaxPendingSessionRequests; ++i) {
    EXPECT_TRUE(world_.session->accepts_requests());
    Change(1, i + 1, {"b"});
  }
  EXPECT_FALSE(world_.session->accepts_requests());
  world_.Run();
  EXPECT_TRUE(world_.session->accepts_requests());
}

TEST_F(SessionTest, ProgressAndIntervalsAreEachWatchsOwn) {
  SubscriptionSpec often = GrowingSpec({"a"});
  often.progress_interval_ms = 100;
  world_.Add(1, often);
  world_.Add(2, GrowingSpec({"a"}));
  SubscriptionSpec patient = GrowingSpec({"a"});
  patient.min_interval_ms = 500;
  world_.Add(3, patient);
  world_.Run();
  EXPECT_EQ(world_.session->due().value(), world_.now.value() + 100'000);
  world_.Put("b", "1");  // concerns nobody
  world_.Pass(100);
  EXPECT_EQ(world_.Run(), 1);
  EXPECT_EQ(world_.model(1).progress, 1);
  EXPECT_EQ(world_.model(2).progress, 0);
  world_.Put("a", "1");
  world_.Run();
  EXPECT_TRUE(Holds(2, "a", "1"));
  EXPECT_FALSE(Holds(3, "a", "1"));
  // An answer does not wait.
  Change(3, 1, {"b"});
  world_.Run();
  EXPECT_TRUE(Holds(3, "b", "1"));
  EXPECT_TRUE(Holds(3, "a", "1"));
  world_.Put("a", "2");
  world_.Run();
  EXPECT_FALSE(Holds(3, "a", "2"));
  world_.Pass(500);
  world_.Run();
  EXPECT_TRUE(Holds(3, "a", "2"));
}

TEST_F(SessionTest, AWatchOfAPipelineThatHasStopped) {
  world_.Add(1, GrowingSpec({"a"}));
  world_.Run();
  world_.Put("a", "1");
  world_.registry.Tell();
  world_.pipeline->SetStatus(absl::FailedPreconditionError("topic is gone"));
  for (Watch* watch : world_.registry.watches) {
    watch->stopped = true;
    world_.session->Woken(watch);
  }
  world_.Run();
  EXPECT_TRUE(Holds(1, "a", "1"));  // it says everything first
  EXPECT_EQ(Client(1).failure, 9);
  EXPECT_EQ(Client(1).failure_message, "topic is gone");
}

TEST_F(SessionTest, TheFarewellIsTheSessionsAndComesAfterARange) {
  world_.Add(1, GrowingSpec({"a"}));
  world_.Run();
  std::vector<std::string> keys = PutMany(500, 1000);
  world_.session->ChangeKeys(1, 5, keys, std::vector<std::string>());
  EXPECT_TRUE(world_.Step());
  while (world_.session->mid_range()) ASSERT_TRUE(world_.Step());
  Message message;
  world_.session->Drain(world_.now, 250, &message);
  world_.client.Apply(message.Flat());
  EXPECT_EQ(world_.client.drains, 1);
  EXPECT_FALSE(world_.model(1).token.empty());
  EXPECT_THAT(Client(1).applied, ElementsAre(5));
}

// 3 watches of 100 have something to say: the others are not asked, so the
// store is not read for them.
TEST_F(SessionTest, AMessageCostsWhatHasChanged) {
  for (uint32_t id = 0; id < 100; ++id) {
    SubscriptionSpec spec = KeyedSpec({});
    spec.filter.growing = true;
    spec.filter.keys.push_back(TestKey(absl::StrCat(id)));
    world_.Add(id, spec);
  }
  world_.Run();
  for (int id : {3, 30, 90}) world_.Put(absl::StrCat(id), "1");
  world_.registry.Tell();
  const int64_t before = world_.store.log_reads();
  EXPECT_TRUE(world_.Step());
  EXPECT_LE(world_.store.log_reads() - before, 3 * 2);
  EXPECT_FALSE(world_.Step());
  EXPECT_TRUE(Holds(90, "90", "1"));
}

}  // namespace
}  // namespace tidegate
