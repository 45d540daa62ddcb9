#include "ingest/loop/start_check.h"

#include "ingest/loop/loop_fixture.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What a loop finds when it comes back.
class StartCheckTest : public LoopTest {
 protected:
  // Reads drivers {0: ann} and `orders` offsets 0..3.
  void ReadFourOrders() {
    CreateTopics();
    Driver(1, "ann");
    for (int i = 0; i < 4; ++i) Order(absl::StrCat("a", i), 1, 10);
    ASSERT_TRUE(Start().ok());
    TurnToTheEnd();
    ASSERT_EQ(Position("orders").next_offset, Offset(4));
  }
  void ExpectRecreated(const std::string& evidence) {
    const absl::Status status = Restart();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(
        std::string(status.message()),
        AllOf(HasSubstr("topic=orders partition="),
              HasSubstr(": the topic was re-created since"),
              HasSubstr(evidence), HasSubstr("run `serve --rebuild totals`"),
              HasSubstr("a new --data-dir")));
  }
};

TEST_F(StartCheckTest, AMissingTopicIsNamed) {
  kafka_.CreateTopic("drivers", 1);
  const absl::Status status = Start();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("topic=orders"));
}

TEST_F(StartCheckTest, ABrokerThatIsAwayCanBeAskedAgain) {
  CreateTopics();
  Order("a", 1, 10);
  kafka_.SetAway(true);
  EXPECT_TRUE(absl::IsUnavailable(Start()));
  kafka_.SetAway(false);
  ASSERT_TRUE(loop_->Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|1|10"));
}

TEST_F(StartCheckTest, ARecreatedTopicThatEndsBelowIsNoticed) {
  ReadFourOrders();
  kafka_.CreateTopic("orders", 1);
  Order("z", 1, 10);
  ExpectRecreated("it ends at offset 1, below the next one to read, 4");
}

TEST_F(StartCheckTest, ARecreatedTopicWithAnotherRecordIsNoticed) {
  ReadFourOrders();
  kafka_.CreateTopic("orders", 1);
  for (int i = 0; i < 9; ++i) Order(absl::StrCat("z", i), 1, 10);
  ExpectRecreated("the record at offset 3 is another one");
}

TEST_F(StartCheckTest, TheSameRecordAtAnotherTimeIsAnotherRecord) {
  ReadFourOrders();
  kafka_.CreateTopic("orders", 1);
  for (int i = 0; i < 4; ++i) Order(absl::StrCat("a", i), 1, 10);
  ExpectRecreated("the record at offset 3 is another one");
}

TEST_F(StartCheckTest, FewerPartitionsAreNoticed) {
  CreateTopics(3);
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  kafka_.CreateTopic("orders", 2);
  ExpectRecreated("it has 2 partitions, fewer than before");
}

TEST_F(StartCheckTest, ARecordThatIsGoneIsNoticedUnlessTheTopicIsCompacted) {
  ReadFourOrders();
  Driver(1, "bea");
  kafka_.RemoveRecord("drivers", 0, Offset(0));
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("drivers"), ElementsAre("1|bea"));

  Order("b", 1, 10);
  kafka_.RemoveRecord("orders", 0, Offset(3));
  ExpectRecreated("the record read at offset 3 is no longer there");
}

TEST_F(StartCheckTest, ACompactedTopicIsStillCheckedWhereItCanBe) {
  ReadFourOrders();
  kafka_.CreateTopic("drivers", 1, /*compacted=*/true);
  Driver(7, "zoe");
  const absl::Status status = Restart();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("topic=drivers"));
}

TEST_F(StartCheckTest, RetentionOfWhatWasReadLosesNothing) {
  ReadFourOrders();
  Order("b", 1, 10);
  kafka_.RemoveBelow("orders", 0, Offset(4));
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|5|50"));
}

TEST_F(StartCheckTest, RetentionOfWhatWasNotReadIsRefused) {
  ReadFourOrders();
  for (int i = 0; i < 5; ++i) Order(absl::StrCat("b", i), 1, 10);
  kafka_.RemoveBelow("orders", 0, Offset(7));
  const absl::Status status = Restart();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr("topic=orders partition=0: retention removed 3 offsets"),
            HasSubstr("next=4 log start=7"),
            HasSubstr("--rebuild totals --accept-truncated-history")));

  options_.accept_truncated_history = true;
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|6|60"));
}

TEST_F(StartCheckTest, RetentionThatOvertakesTheRunningLoopStopsIt) {
  ReadFourOrders();
  for (int i = 0; i < 5; ++i) Order(absl::StrCat("b", i), 1, 10);
  kafka_.RemoveBelow("orders", 0, Offset(7));
  const auto turned = loop_->Turn();
  EXPECT_TRUE(absl::IsFailedPrecondition(turned.status()));
  EXPECT_THAT(std::string(turned.status().message()),
              AllOf(HasSubstr("topic=orders partition=0 offset=4"),
                    HasSubstr("--accept-truncated-history")));
  EXPECT_EQ(loop_->Turn().status(), turned.status());
}

TEST_F(StartCheckTest, AFirstStartBeginsAtTheLogsStart) {
  CreateTopics();
  for (int i = 0; i < 4; ++i) Order(absl::StrCat("a", i), 1, 10);
  kafka_.RemoveBelow("orders", 0, Offset(3));
  ASSERT_TRUE(Start().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|1|10"));
  EXPECT_EQ(Position("orders").next_offset, Offset(4));
}

TEST_F(StartCheckTest, PartitionsAddedWhileDownAreReadFromTheirStart) {
  ReadFourOrders();
  kafka_.AddPartitions("orders", 2);
  Order("p2", 1, 10, 2);
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|5|50"));
  EXPECT_EQ(Position("orders", 2).next_offset, Offset(1));
}

TEST_F(StartCheckTest, PartitionsAddedWhileRunningAreReadFromTheirStart) {
  ReadFourOrders();
  kafka_.AddPartitions("orders", 1);
  Order("p1", 1, 10, 1);
  EXPECT_FALSE(*loop_->Turn());
  clock_.AdvanceMs(options_.metadata_interval_ms);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|5|50"));
  EXPECT_EQ(loop_->Lag().size(), 3u);
  ASSERT_TRUE(Restart().ok());
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|5|50"));
}

TEST_F(StartCheckTest, ABrokerAwayDoesNotStopTheLookForPartitions) {
  ReadFourOrders();
  kafka_.SetAway(true);
  clock_.AdvanceMs(options_.metadata_interval_ms);
  EXPECT_FALSE(*loop_->Turn());
  kafka_.SetAway(false);
  Order("b", 1, 10);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|5|50"));
}

TEST_F(StartCheckTest, ATopicDeletedWhileItIsReadStopsTheLoop) {
  ReadFourOrders();
  kafka_.DeleteTopic("orders");
  const auto turned = loop_->Turn();
  EXPECT_TRUE(absl::IsFailedPrecondition(turned.status()));
  EXPECT_THAT(std::string(turned.status().message()),
              AllOf(HasSubstr("topic=orders partition=0"),
                    HasSubstr("deleted while it was read"),
                    HasSubstr("`serve --rebuild totals`")));
}

TEST_F(StartCheckTest, ATopicDeniedOnceIsNotGone) {
  ReadFourOrders();
  kafka_.SetTopicsDenied(true);
  clock_.AdvanceMs(options_.metadata_interval_ms);
  EXPECT_TRUE(loop_->Turn().ok());
  kafka_.SetTopicsDenied(false);
  clock_.AdvanceMs(options_.metadata_interval_ms);
  Order("b", 1, 10);
  TurnToTheEnd();
  EXPECT_THAT(test_->Rows("totals"), ElementsAre("1|5|50"));

  kafka_.SetTopicsDenied(true);
  clock_.AdvanceMs(options_.metadata_interval_ms);
  EXPECT_TRUE(loop_->Turn().ok());
  clock_.AdvanceMs(options_.metadata_interval_ms);
  EXPECT_TRUE(absl::IsFailedPrecondition(loop_->Turn().status()));
}

TEST(RecordHashTest, TellsPartsApart) {
  RawRecord a;
  a.has_key = a.has_value = true;
  a.key = "ab";
  a.value = "c";
  RawRecord b = a;
  b.key = "a";
  b.value = "bc";
  EXPECT_NE(RecordHash(a), RecordHash(b));
  b = a;
  b.has_key = false;
  b.key = "";
  RawRecord c = a;
  c.key = "";
  EXPECT_NE(RecordHash(b), RecordHash(c));
  EXPECT_EQ(RecordHash(a), RecordHash(a));
}

}  // namespace
}  // namespace tidegate
