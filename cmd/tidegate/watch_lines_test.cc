#include "cmd/tidegate/watch_lines.h"

#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_split.h"
#include "base/coding.h"
#include "clients/history/checker.h"

namespace tidegate {
namespace {

using client::Change;
using client::Event;
using client::Finality;
using google::protobuf::FieldDescriptorProto;

void AddField(const std::string& name, int number,
              google::protobuf::DescriptorProto* message) {
  FieldDescriptorProto* field = message->add_field();
  field->set_name(name);
  field->set_number(number);
  field->set_type(FieldDescriptorProto::TYPE_INT64);
  field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
}

std::unique_ptr<client::DynamicRows> MakeRows() {
  google::protobuf::FileDescriptorSet set;
  auto* file = set.add_file();
  file->set_name("v.proto");
  auto* row = file->add_message_type();
  row->set_name("VRow");
  AddField("k", 1, row);
  AddField("n", 2, row);
  auto* key = file->add_message_type();
  key->set_name("VKey");
  AddField("k", 1, key);
  return *client::DynamicRows::Create("v", {"k"}, set.SerializeAsString());
}

std::string Message(uint64_t k, uint64_t n) {
  std::string bytes;
  PutTag(&bytes, 1, WireType::kVarint);
  PutVarint64(&bytes, k);
  if (n == 0) return bytes;
  PutTag(&bytes, 2, WireType::kVarint);
  PutVarint64(&bytes, n);
  return bytes;
}

class WatchLinesTest : public ::testing::Test {
 protected:
  std::string Lines(const Event& event) {
    std::string text;
    EXPECT_TRUE(lines_.Append(event, &text).ok());
    all_ += text;
    return text;
  }
  static Event Make(Event::Kind kind) {
    Event event;
    event.kind = kind;
    return event;
  }
  static Event Positioned(Event::Kind kind, uint64_t seq) {
    Event event = Make(kind);
    event.position = {"\xab\x01", {{0, seq}}};
    event.token = "t" + std::to_string(seq);
    return event;
  }

  const std::unique_ptr<client::DynamicRows> rows_ = MakeRows();
  WatchLines lines_{{.view = "v"}, rows_.get()};
  std::string all_;
};

TEST_F(WatchLinesTest, EveryKindOfLine) {
  EXPECT_EQ(Lines(Make(Event::Kind::kConnected)),
            "{\"marker\":\"connect\",\"view\":\"v\",\"resume\":null}\n");
  Event rows = Make(Event::Kind::kSnapshot);
  rows.changes.push_back({Change::Kind::kUpsert, Message(1, 5)});
  EXPECT_EQ(
      Lines(rows),
      "{\"op\":\"upsert\",\"key\":{\"k\":1},\"row\":{\"k\":1,\"n\":5}}\n");
  EXPECT_EQ(Lines(Positioned(Event::Kind::kSnapshotEnd, 3)),
            "{\"marker\":\"snapshot_end\",\"position\":{\"incarnation\":"
            "\"ab01\",\"partitions\":[{\"partition\":0,\"seq\":3}]},"
            "\"token\":\"dDM=\"}\n");
  Event delta = Positioned(Event::Kind::kChanges, 4);
  delta.changes.push_back({Change::Kind::kDeleted, Message(1, 0)});
  delta.ranges.push_back({0, 3, 4});
  delta.watermark_us = 1'500'000;
  EXPECT_EQ(Lines(delta),
            "{\"op\":\"deleted\",\"key\":{\"k\":1}}\n"
            "{\"marker\":\"progress\",\"ranges\":[{\"partition\":0,\"from\":3,"
            "\"to\":4}],\"position\":{\"incarnation\":\"ab01\",\"partitions\":["
            "{\"partition\":0,\"seq\":4}]},\"token\":\"dDQ=\","
            "\"watermark\":\"1970-01-01T00:00:01.500Z\"}\n");
  Event drain = Positioned(Event::Kind::kDrain, 4);
  drain.retry_after_ms = 250;
  EXPECT_NE(Lines(drain).find("\"retry_after_ms\":250"), std::string::npos);
  EXPECT_EQ(Lines(Make(Event::Kind::kDisconnected)), "");
}

// What is printed is a history that the checker accepts.
TEST_F(WatchLinesTest, TheCheckerReadsIt) {
  Lines(Make(Event::Kind::kConnected));
  Event chunk = Make(Event::Kind::kSnapshot);
  chunk.changes.push_back({Change::Kind::kUpsert, Message(1, 5)});
  chunk.token = "middle";
  Lines(chunk);
  Event cut = Make(Event::Kind::kConnected);
  cut.token = "middle";
  Lines(cut);
  Lines(Positioned(Event::Kind::kSnapshotEnd, 3));
  Event delta = Positioned(Event::Kind::kChanges, 4);
  delta.changes.push_back({Change::Kind::kUpsert, Message(2, 6)});
  delta.ranges.push_back({0, 3, 4});
  Lines(delta);
  Lines(Positioned(Event::Kind::kDrain, 4));
  Event resumed = Make(Event::Kind::kConnected);
  resumed.token = "t4";
  Lines(resumed);
  Event reset = Make(Event::Kind::kReset);
  reset.cause = "HISTORY_TRIMMED";
  Lines(reset);
  Lines(Positioned(Event::Kind::kSnapshotEnd, 9));

  StateBook book;
  Checker checker("h", &book);
  int number = 0;
  for (absl::string_view line : absl::StrSplit(all_, '\n', absl::SkipEmpty())) {
    checker.AddLine(line, ++number);
  }
  EXPECT_EQ(checker.counts().violations, 0)
      << ::testing::PrintToString(checker.violations());
  EXPECT_EQ(checker.counts().resumes, 2);
  EXPECT_EQ(checker.counts().resets, 1);
  EXPECT_EQ(checker.counts().snapshots, 2);
  EXPECT_EQ(checker.counts().deltas, 1);
}

// With several views every line says its own, and one view's lines are a
// history still.
TEST_F(WatchLinesTest, OneOfSeveral) {
  const WatchLines lines(
      {.view = "v", .where = "n > \"4\"", .one_of_several = true}, rows_.get());
  Event delta = Positioned(Event::Kind::kChanges, 4);
  delta.changes.push_back({Change::Kind::kUpsert, Message(1, 5)});
  delta.changes.push_back({Change::Kind::kLeft, Message(2, 0)});
  delta.ranges.push_back({0, 3, 4});
  Event held = Make(Event::Kind::kSnapshot);
  held.changes.push_back({Change::Kind::kUpsert, Message(2, 6)});
  std::string text;
  for (const Event& event : {Make(Event::Kind::kConnected), held,
                             Positioned(Event::Kind::kSnapshotEnd, 3), delta,
                             Positioned(Event::Kind::kDrain, 4)}) {
    ASSERT_TRUE(lines.Append(event, &text).ok());
  }
  Checker checker("h", nullptr);
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    EXPECT_NE(line.find("\"view\":\"v\""), line.npos) << line;
    checker.AddLine(line, ++number);
  }
  EXPECT_EQ(number, 7);
  EXPECT_EQ(checker.counts().violations, 0)
      << ::testing::PrintToString(checker.violations());
  EXPECT_EQ(checker.counts().deltas, 2);
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "{\"marker\":\"connect\",\"view\":\"v\",\"where\":"
            "\"n > \\\"4\\\"\",\"resume\":null}");
  EXPECT_NE(text.find("\n{\"view\":\"v\",\"op\":\"left\",\"key\":{\"k\":2}}"),
            text.npos);
  EXPECT_NE(text.find("\n{\"view\":\"v\",\"marker\":\"progress\""), text.npos);
}

TEST_F(WatchLinesTest, ConnectTellsWhichRows) {
  const WatchLines lines({.view = "v", .keys = {Message(1, 0), Message(2, 0)}},
                         rows_.get());
  std::string text;
  ASSERT_TRUE(lines.Append(Make(Event::Kind::kConnected), &text).ok());
  EXPECT_EQ(text,
            "{\"marker\":\"connect\",\"view\":\"v\",\"keys\":[{\"k\":1},"
            "{\"k\":2}],\"resume\":null}\n");
  const WatchLines prefixed({.view = "v", .key_prefix = Message(3, 0)},
                            rows_.get());
  text.clear();
  ASSERT_TRUE(prefixed.Append(Make(Event::Kind::kConnected), &text).ok());
  EXPECT_EQ(text,
            "{\"marker\":\"connect\",\"view\":\"v\",\"key_prefix\":{\"k\":3},"
            "\"resume\":null}\n");
}

TEST_F(WatchLinesTest, MalformedRowsAreErrors) {
  Event event = Make(Event::Kind::kChanges);
  event.changes.push_back({Change::Kind::kUpsert, "\xff"});
  std::string text;
  EXPECT_EQ(lines_.Append(event, &text).code(), absl::StatusCode::kDataLoss);
}

TEST_F(WatchLinesTest, RowLineOfScan) {
  EXPECT_EQ(*RowLine(*rows_, Message(1, 5), Finality::kNone),
            "{\"key\":{\"k\":1},\"row\":{\"k\":1,\"n\":5}}\n");
  EXPECT_EQ(*RowLine(*rows_, Message(1, 5), Finality::kFinal),
            "{\"key\":{\"k\":1},\"row\":{\"k\":1,\"n\":5},"
            "\"finality\":\"final\"}\n");
}

// Finality is printed beside the row, and the checker knows it there.
TEST_F(WatchLinesTest, Finality) {
  Lines(Make(Event::Kind::kConnected));
  Event end = Positioned(Event::Kind::kSnapshotEnd, 3);
  end.watermark_us = 5;
  Lines(end);
  Event delta = Positioned(Event::Kind::kChanges, 4);
  delta.ranges.push_back({0, 3, 4});
  delta.watermark_us = 6;
  for (const Finality finality :
       {Finality::kProvisional, Finality::kFinal, Finality::kCorrected}) {
    delta.changes.push_back({Change::Kind::kUpsert,
                             Message(static_cast<uint64_t>(finality), 5),
                             finality});
  }
  const std::string text = Lines(delta);
  for (const char* part :
       {"\"row\":{\"k\":1,\"n\":5},\"finality\":\"provisional\"}\n",
        "\"row\":{\"k\":2,\"n\":5},\"finality\":\"final\"}\n",
        "\"row\":{\"k\":3,\"n\":5},\"finality\":\"corrected\"}\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  Event wrong = Positioned(Event::Kind::kChanges, 5);
  wrong.ranges.push_back({0, 4, 5});
  wrong.changes.push_back(
      {Change::Kind::kUpsert, Message(2, 6), Finality::kFinal});
  Lines(wrong);
  Checker checker("h", nullptr);
  int number = 0;
  for (absl::string_view line : absl::StrSplit(all_, '\n', absl::SkipEmpty())) {
    checker.AddLine(line, ++number);
  }
  ASSERT_EQ(checker.counts().violations, 1)
      << ::testing::PrintToString(checker.violations());
  EXPECT_NE(checker.violations()[0].find("h:7: final:"), std::string::npos);
}

}  // namespace
}  // namespace tidegate
