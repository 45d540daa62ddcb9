// Replay against the embedded broker: letters as the pipeline writes them, and
// records as it reads them.
#include "cmd/tidegate/replay.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ingest/kafka/kafka_dead_letters.h"
#include "ingest/kafka/kafka_fixture.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kDead[] = "orders.dlq";

class ReplayTest : public KafkaTest {
 protected:
  void SetUp() override {
    KafkaTest::SetUp();
    ASSERT_TRUE(broker_->CreateTopic(kDead, 2).ok());
    ASSERT_TRUE(broker_->CreateTopic("orders", 4).ok());
    options_.kafka = properties_;
    options_.dead_letter_topic = kDead;
    options_.timeout_ms = 20'000;
  }

  static DeadLetter Letter(int64_t offset, const std::string& reason,
                           const std::string& replay_views) {
    DeadLetter letter;
    letter.topic = kDead;
    letter.source_topic = "orders";
    letter.partition = PartitionId(3);
    letter.offset = Offset(offset);
    letter.timestamp_ms = 1'700'000'000'000 + offset;
    letter.reason = reason;
    letter.replay_views = replay_views;
    letter.key = "one key, one partition";
    letter.value = absl::StrCat("value ", offset);
    return letter;
  }

  void Write(const std::vector<DeadLetter>& letters) {
    const auto writer = MakeKafkaDeadLetterWriter(properties_);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (const DeadLetter& letter : letters) {
      ASSERT_TRUE((*writer)->Write(letter).ok());
    }
    const absl::Status flushed = (*writer)->Flush(20'000);
    ASSERT_TRUE(flushed.ok()) << flushed;
  }

  // What `Replay` tells, a line a letter: "origin views outcome".
  ReplayReport Run() {
    told_.clear();
    skipped_.clear();
    const auto report = Replay(
        options_,
        [&](const ReplayedLetter& one) {
          told_.push_back(absl::StrCat(one.record.origin, " ", one.record.views,
                                       " ",
                                       !one.sent.has_value() ? "dry"
                                       : one.sent->ok()      ? "ok"
                                                             : "no"));
        },
        [&](PartitionId, Offset, const absl::Status& status) {
          skipped_.emplace_back(status.message());
        });
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : ReplayReport();
  }

  // Everything in orders, by partition.
  std::vector<std::string> Orders() {
    const auto reader = Reader({"orders"});
    std::vector<std::string> lines;
    for (int p = 0; p < 4; ++p) {
      EXPECT_TRUE(reader->Start(0, PartitionId(p), Offset(0)).ok());
    }
    const auto all_read = [&] {
      for (int p = 0; p < 4; ++p) {
        if (!reader->AtEnd(0, PartitionId(p))) return false;
      }
      return true;
    };
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!all_read() && std::chrono::steady_clock::now() < deadline) {
      EXPECT_TRUE(reader
                      ->Poll(kAllTopics, 100, 100,
                             [&](const RawRecord& r) {
                               lines.push_back(absl::StrJoin(
                                   {absl::StrCat(r.partition.value()),
                                    absl::StrCat(r.timestamp_ms),
                                    r.has_key ? std::string(r.key) : "null",
                                    r.has_value ? std::string(r.value) : "null",
                                    absl::StrCat(r.is_replay),
                                    std::string(r.replay_views),
                                    std::string(r.replay_origin)},
                                   "|"));
                             })
                      .ok());
    }
    return lines;
  }

  ReplayOptions options_;
  std::vector<std::string> told_;
  std::vector<std::string> skipped_;
};

TEST_F(ReplayTest, SendsRecordsBackAsTheyWere) {
  std::vector<DeadLetter> letters = {Letter(5, "late", "v1@60,v2"),
                                     Letter(6, "future", "")};
  letters[1].value.reset();
  Write(letters);
  const ReplayReport report = Run();
  EXPECT_EQ(report.selected, 2);
  EXPECT_EQ(report.acknowledged, 2);
  EXPECT_FALSE(report.go_on.has_value());
  EXPECT_THAT(told_, ElementsAre("orders/3/5 v1@60,v2 ok", "orders/3/6  ok"));
  EXPECT_THAT(
      Orders(),
      ElementsAre("3|1700000000005|one key, one partition|value 5|1|v1@60,v2|"
                  "orders/3/5",
                  "3|1700000000006|one key, one partition|null|1||orders/3/6"));
}

TEST_F(ReplayTest, ADryRunSendsNothing) {
  Write({Letter(5, "late", "v1")});
  options_.dry_run = true;
  EXPECT_EQ(Run().acknowledged, 0);
  EXPECT_THAT(told_, ElementsAre("orders/3/5 v1 dry"));
  EXPECT_THAT(Orders(), IsEmpty());
}

TEST_F(ReplayTest, NarrowsAndSendsWhatIsThereTwiceOnce) {
  Write({Letter(5, "late", "v1@60,v2"), Letter(6, "expression", "v1"),
         Letter(5, "late", "v1@60,v2")});
  options_.filter.views = {"v2"};
  const ReplayReport report = Run();
  EXPECT_EQ(report.read, 3);
  EXPECT_EQ(report.duplicates, 1);
  EXPECT_THAT(told_, ElementsAre("orders/3/5 v2 ok"));
}

TEST_F(ReplayTest, WhatIsNoLetterIsSkippedAndABadOneRefused) {
  Produce(kDead, 0, {"of somebody else's"});
  DeadLetter bad = Letter(5, "lost", "");
  Write({bad, Letter(6, "late", "")});
  const ReplayReport report = Run();
  EXPECT_EQ(report.foreign, 1);
  EXPECT_EQ(report.refused, 1);
  EXPECT_EQ(report.acknowledged, 1);
  EXPECT_THAT(skipped_,
              testing::UnorderedElementsAre(HasSubstr("not a dead letter"),
                                            HasSubstr("unknown reason")));
}

TEST_F(ReplayTest, AReplayOfAReplayKeepsItsOrigin) {
  DeadLetter again = Letter(9, "late", "v1");
  again.replay_origin = "orders/3/5";
  Write({again});
  Run();
  EXPECT_THAT(told_, ElementsAre("orders/3/5 v1 ok"));
}

TEST_F(ReplayTest, SaysWhereToGoOnAfterAFailure) {
  DeadLetter nowhere = Letter(6, "late", "v1");
  nowhere.partition = PartitionId(77);  // orders has no such partition
  Write({Letter(5, "late", "v1"), nowhere, Letter(7, "late", "v1")});
  const ReplayReport report = Run();
  EXPECT_EQ(report.acknowledged, 2);
  EXPECT_THAT(told_, ElementsAre("orders/3/5 v1 ok", "orders/77/6 v1 no",
                                 "orders/3/7 v1 ok"));
  ASSERT_TRUE(report.go_on.has_value());
  EXPECT_EQ(report.go_on->offset, Offset(1));
  EXPECT_THAT(report.go_on->acknowledged, ElementsAre(Offset(2)));
  // Going on there sends neither of the others again.
  options_.filter.partition = report.go_on->partition;
  options_.filter.from_offset = report.go_on->offset;
  options_.filter.to_offset = Offset(2);
  EXPECT_EQ(Run().acknowledged, 0);
  EXPECT_THAT(told_, ElementsAre("orders/77/6 v1 no"));
}

TEST_F(ReplayTest, RefusesWhatItCannotDo) {
  const auto run = [&] {
    return Replay(
               options_, [](const ReplayedLetter&) {},
               [](PartitionId, Offset, const absl::Status&) {})
        .status();
  };
  options_.filter.from_offset = Offset(1);
  EXPECT_THAT(std::string(run().message()),
              HasSubstr("an offset needs its partition"));
  options_.filter.partition = PartitionId(2);
  EXPECT_THAT(std::string(run().message()), HasSubstr("no such partition"));
  options_.kafka["acks"] = "1";
  EXPECT_THAT(std::string(run().message()),
              HasSubstr("\"acks\" is Tidegate's own"));
  options_.kafka.erase("acks");
  options_.timeout_ms = 300;
  ASSERT_TRUE(broker_->SetDown().ok());
  EXPECT_TRUE(absl::IsUnavailable(run())) << run();
}

}  // namespace
}  // namespace tidegate
