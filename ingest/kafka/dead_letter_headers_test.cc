#include "ingest/kafka/dead_letter_headers.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

DeadLetter Letter() {
  DeadLetter letter;
  letter.source_topic = "orders";
  letter.partition = PartitionId(3);
  letter.offset = Offset(42);
  letter.timestamp_ms = 1234;
  letter.reason = "late";
  letter.detail = "the window has closed";
  letter.views = {"v1", "v2"};
  letter.replay_views = "v1@60000000,v2";
  letter.watermark = EventTime(1'700'000'000'000'000);
  letter.pipeline = "dashboards";
  return letter;
}

// Headers without `name`; with it, if `value` is given.
RecordHeaders With(const std::string& name, const char* value) {
  RecordHeaders headers;
  for (const auto& header : DeadLetterHeaders(Letter())) {
    if (header.first != name) headers.push_back(header);
  }
  if (value != nullptr) headers.emplace_back(name, value);
  return headers;
}

TEST(DeadLetterHeadersTest, NamesAndTexts) {
  EXPECT_THAT(DeadLetterHeaders(Letter()),
              ElementsAre(Pair("tidegate.reason", "late"),
                          Pair("tidegate.detail", "the window has closed"),
                          Pair("tidegate.views", "v1,v2"),
                          Pair("tidegate.topic", "orders"),
                          Pair("tidegate.partition", "3"),
                          Pair("tidegate.offset", "42"),
                          Pair("tidegate.timestamp", "1234"),
                          Pair("tidegate.replay.views", "v1@60000000,v2"),
                          Pair("tidegate.watermark", "2023-11-14T22:13:20Z"),
                          Pair("tidegate.pipeline", "dashboards")));
}

TEST(DeadLetterHeadersTest, ThereAndBack) {
  DeadLetter letter = Letter();
  letter.replay_origin = "orders/3/7";
  const auto back = ParseDeadLetter(DeadLetterHeaders(letter));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(DeadLetterHeaders(*back), DeadLetterHeaders(letter));
  EXPECT_EQ(back->replay_origin, "orders/3/7");
  EXPECT_EQ(back->watermark, letter.watermark);
  EXPECT_EQ(back->timestamp_ms, 1234);
}

// A view can count dead letters by their headers, and have letters of its own.
TEST(DeadLetterHeadersTest, TheRecordsOwnHeadersComeBackAsTheyWere) {
  DeadLetter letter = Letter();
  letter.headers = {{"trace", "a"},
                    {"none", std::nullopt},
                    {"trace", ""},
                    {"tidegate.reason", "future"},
                    {"tidegate.kept.x", "y"}};
  const RecordHeaders headers = DeadLetterHeaders(letter);
  EXPECT_THAT(headers, Contains(Pair("trace", "")));
  EXPECT_THAT(headers,
              Contains(Pair("tidegate.kept.tidegate.reason", "future")));
  const auto back = ParseDeadLetter(headers);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->headers, letter.headers);
  EXPECT_EQ(back->reason, "late");
}

TEST(DeadLetterHeadersTest, NoWatermarkNoViews) {
  DeadLetter letter = Letter();
  letter.views.clear();
  letter.replay_views.clear();
  letter.watermark = kNoEventTime;
  EXPECT_THAT(DeadLetterHeaders(letter),
              Contains(Pair("tidegate.watermark", "")));
  const auto back = ParseDeadLetter(DeadLetterHeaders(letter));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->watermark, kNoEventTime);
  EXPECT_THAT(back->views, IsEmpty());
}

TEST(DeadLetterHeadersTest, ALongDetailIsCutOff) {
  DeadLetter letter = Letter();
  letter.detail = std::string(10'000, 'x');
  EXPECT_EQ(DeadLetterHeaders(letter)[1].second->size(),
            kMaxDeadLetterDetailBytes);
}

TEST(DeadLetterHeadersTest, WhatAnOlderVersionWroteIsRead) {
  RecordHeaders headers = DeadLetterHeaders(Letter());
  headers.resize(7);
  const auto back = ParseDeadLetter(headers);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_THAT(back->views, ElementsAre("v1", "v2"));
  EXPECT_EQ(back->replay_views, "");
}

TEST(DeadLetterHeadersTest, WhatIsNoLetterIsToldFromABadOne) {
  EXPECT_TRUE(absl::IsNotFound(ParseDeadLetter({}).status()));
  EXPECT_TRUE(absl::IsNotFound(
      ParseDeadLetter({{"trace", "1"}, {"tidegate.replay.views", ""}})
          .status()));
  const struct {
    const char* name;
    const char* value;
    const char* message;
  } kCases[] = {
      {"tidegate.topic", nullptr, "without header tidegate.topic"},
      {"tidegate.offset", nullptr, "without header tidegate.offset"},
      {"tidegate.reason", "", "without header tidegate.reason"},
      {"tidegate.partition", "-1", "tidegate.partition is not a whole number"},
      {"tidegate.partition", "9999999999", "tidegate.partition is not"},
      {"tidegate.timestamp", "x", "tidegate.timestamp is not a whole number"},
      {"tidegate.watermark", "soon", "soon"},
  };
  for (const auto& c : kCases) {
    const auto got = ParseDeadLetter(With(c.name, c.value));
    EXPECT_TRUE(absl::IsInvalidArgument(got.status()))
        << c.message << ": " << got.status();
    EXPECT_THAT(std::string(got.status().message()), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace tidegate
