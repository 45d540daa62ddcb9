#include "clients/cpp/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/coding.h"

namespace tidegate::client {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Event::Kind;

constexpr milliseconds kLong{60'000};

// {1: id, 2: value}; without the value, the key.
std::string Message(int64_t id, int64_t value = -1) {
  std::string out;
  PutTag(&out, 1, WireType::kVarint);
  PutVarint64(&out, static_cast<uint64_t>(id));
  if (value < 0) return out;
  PutTag(&out, 2, WireType::kVarint);
  PutVarint64(&out, static_cast<uint64_t>(value));
  return out;
}

int64_t ValueOf(const MirroredRow& row) {
  absl::string_view bytes = row.row;
  WireField field;
  while (GetWireField(&bytes, &field)) {
  }
  return static_cast<int64_t>(field.varint);
}

Change Upsert(int64_t id, int64_t value) {
  return {Change::Kind::kUpsert, Message(id, value)};
}
Change Deleted(int64_t id) { return {Change::Kind::kDeleted, Message(id)}; }

Event Connected(const std::string& token) {
  Event event;
  event.kind = Kind::kConnected;
  event.token = token;
  return event;
}

Event Snapshot(std::vector<Change> changes, const std::string& token = "") {
  Event event;
  event.kind = Kind::kSnapshot;
  event.changes = std::move(changes);
  event.token = token;
  return event;
}

Event At(Kind kind, uint64_t seq, std::vector<Change> changes = {}) {
  Event event;
  event.kind = kind;
  event.changes = std::move(changes);
  event.position = StreamPosition{"i", {{0, seq}}};
  event.watermark_us = static_cast<int64_t>(seq) * 10;
  event.token = absl::StrCat("t", seq);
  return event;
}

Event Of(Kind kind) {
  Event event;
  event.kind = kind;
  return event;
}

class MirrorTest : public ::testing::Test {
 protected:
  MirrorTest() { mirror_.SetOrder(KeyOrder({{1, KeyColumn::Type::kInt}})); }

  void Apply(const Event& event) {
    const absl::Status applied = mirror_.Apply(event, &changes_);
    EXPECT_TRUE(applied.ok()) << applied;
  }
  // "ID=VALUE" of each row, in order.
  std::vector<std::string> Rows() { return Rows(mirror_.Read()); }
  static std::vector<std::string> Rows(const MirrorSnapshot& snapshot) {
    std::vector<std::string> rows;
    snapshot.rows.ForEach([&](const RowRef& row) {
      absl::string_view bytes = row->row;
      WireField id;
      EXPECT_TRUE(GetWireField(&bytes, &id));
      rows.push_back(
          absl::StrCat(static_cast<int64_t>(id.varint), "=", ValueOf(*row)));
      return true;
    });
    return rows;
  }
  // "BEFORE>AFTER", with "-" for none, since the last call.
  std::vector<std::string> Told() {
    const auto text = [](const RowRef& row) {
      return row == nullptr ? "-" : absl::StrCat(ValueOf(*row));
    };
    std::vector<std::string> told;
    for (const RowChange& change : changes_) {
      told.push_back(text(change.before) + ">" + text(change.after));
    }
    changes_.clear();
    return told;
  }
  void GoLive() {
    Apply(Connected(""));
    Apply(Snapshot({Upsert(1, 10), Upsert(2, 20)}));
    Apply(At(Kind::kSnapshotEnd, 5));
    changes_.clear();
  }

  Mirror mirror_{MirrorLimits{.max_rows = 4, .max_bytes = 4'000}};
  std::vector<RowChange> changes_;
};

TEST_F(MirrorTest, RowsAppearWithTheSnapshotsEndThenChange) {
  EXPECT_EQ(mirror_.state(), MirrorState::kLoading);
  Apply(Connected(""));
  Apply(Snapshot({Upsert(2, 20), Upsert(-1, 5)}));
  Apply(Snapshot({Deleted(9), Upsert(3, 30)}));
  EXPECT_EQ(mirror_.size(), 0u);
  EXPECT_EQ(mirror_.Find(Message(2)), nullptr);
  EXPECT_THAT(Told(), ElementsAre());
  Apply(At(Kind::kSnapshotEnd, 5));
  EXPECT_THAT(Rows(), ElementsAre("-1=5", "2=20", "3=30"));
  EXPECT_THAT(Told(), ElementsAre("->5", "->20", "->30"));
  EXPECT_EQ(mirror_.state(), MirrorState::kLive);
  EXPECT_EQ(mirror_.Read().position->seqs.at(0), 5u);
  EXPECT_EQ(mirror_.Read().watermark_us, 50);

  const MirrorSnapshot before = mirror_.Read();
  Apply(At(Kind::kChanges, 7, {Upsert(2, 21), Deleted(3), Deleted(8)}));
  EXPECT_THAT(Rows(), ElementsAre("-1=5", "2=21"));
  EXPECT_THAT(Told(), ElementsAre("20>21", "30>-"));
  EXPECT_EQ(mirror_.Read().position->seqs.at(0), 7u);
  EXPECT_EQ(ValueOf(*mirror_.Find(Message(2))), 21);
  EXPECT_EQ(mirror_.Find("\xff"), nullptr);
  // Who read before goes on with what was.
  EXPECT_THAT(Rows(before), ElementsAre("-1=5", "2=20", "3=30"));
  EXPECT_EQ(ValueOf(*before.Find(Message(2))), 20);
}

TEST_F(MirrorTest, WhatChangesNothingIsNotTold) {
  GoLive();
  Apply(At(Kind::kChanges, 6, {Upsert(1, 10), Deleted(7)}));
  EXPECT_THAT(Told(), ElementsAre());
  Event corrected = At(Kind::kChanges, 7, {Upsert(1, 10)});
  corrected.changes[0].finality = Finality::kCorrected;
  Apply(corrected);
  EXPECT_THAT(Told(), ElementsAre("10>10"));
}

TEST_F(MirrorTest, AResetShowsTheOldRowsUntilTheNewOnesAreWhole) {
  GoLive();
  Apply(Of(Kind::kReset));
  EXPECT_EQ(mirror_.state(), MirrorState::kLoading);
  Apply(Snapshot({Upsert(2, 22)}));
  Apply(Snapshot({Upsert(3, 30)}));
  EXPECT_THAT(Rows(), ElementsAre("1=10", "2=20"));
  EXPECT_EQ(mirror_.Read().position->seqs.at(0), 5u);
  EXPECT_THAT(Told(), ElementsAre());
  Apply(At(Kind::kSnapshotEnd, 2));
  EXPECT_THAT(Rows(), ElementsAre("2=22", "3=30"));
  EXPECT_THAT(Told(), ElementsAre("10>-", "20>22", "->30"));
  EXPECT_EQ(mirror_.Read().position->seqs.at(0), 2u);
}

TEST_F(MirrorTest, ALostConnectionKeepsTheRows) {
  GoLive();
  Apply(Of(Kind::kDisconnected));
  EXPECT_EQ(mirror_.state(), MirrorState::kDisconnected);
  EXPECT_THAT(Rows(), ElementsAre("1=10", "2=20"));
  Apply(Connected("t5"));
  EXPECT_EQ(mirror_.state(), MirrorState::kLive);
  Apply(At(Kind::kChanges, 9, {Deleted(1)}));
  EXPECT_THAT(Rows(), ElementsAre("2=20"));
  // A token that was of no use: as after a reset.
  Apply(Of(Kind::kDisconnected));
  Apply(Connected(""));
  Apply(At(Kind::kSnapshotEnd, 9));
  EXPECT_THAT(Rows(), ElementsAre());
}

TEST_F(MirrorTest, ASnapshotGoesOnAfterItsLastToken) {
  Apply(Connected(""));
  Apply(Snapshot({Upsert(1, 10)}, "after 1"));
  // Without a token: it comes again, unless it has been deleted meanwhile.
  Apply(Snapshot({Upsert(2, 20)}));
  Apply(Of(Kind::kDisconnected));
  Apply(Connected("after 1"));
  EXPECT_EQ(mirror_.state(), MirrorState::kLoading);
  Apply(Snapshot({Upsert(3, 30)}));
  Apply(At(Kind::kSnapshotEnd, 8));
  EXPECT_THAT(Rows(), ElementsAre("1=10", "3=30"));
}

TEST_F(MirrorTest, ADrainInTheSnapshotMayBringAToken) {
  Apply(Connected(""));
  Apply(Snapshot({Upsert(1, 10)}, "after 1"));
  Apply(Snapshot({Upsert(2, 20)}));
  Event drain = Of(Kind::kDrain);
  drain.token = "after 2";
  Apply(drain);
  Apply(Snapshot({Upsert(3, 30)}));
  drain.token = "after 2";  // the last one again: nothing new
  Apply(drain);
  Apply(Connected("after 2"));
  Apply(At(Kind::kSnapshotEnd, 8));
  EXPECT_THAT(Rows(), ElementsAre("1=10", "2=20"));
}

TEST_F(MirrorTest, ItsLimitsAreErrorsThatLeaveTheRowsAlone) {
  GoLive();
  Apply(At(Kind::kChanges, 6, {Upsert(3, 30), Upsert(4, 40)}));
  // One goes, one comes.
  Apply(At(Kind::kChanges, 7, {Upsert(5, 50), Deleted(4)}));
  Told();
  absl::Status full = mirror_.Apply(
      At(Kind::kChanges, 8, {Upsert(1, 11), Upsert(6, 60)}), &changes_);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(full.message(), HasSubstr("more rows than max_rows, 4"));
  EXPECT_THAT(Rows(), ElementsAre("1=10", "2=20", "3=30", "5=50"));
  EXPECT_THAT(Told(), ElementsAre());
  EXPECT_EQ(mirror_.Read().position->seqs.at(0), 7u);

  Event large = At(Kind::kChanges, 8, {Upsert(1, 11)});
  PutTag(&large.changes[0].bytes, 3, WireType::kLengthDelimited);
  PutLengthPrefixed(&large.changes[0].bytes, std::string(4'000, 'x'));
  full = mirror_.Apply(large, &changes_);
  EXPECT_THAT(full.message(), HasSubstr("more bytes than max_bytes, 4000"));
  EXPECT_EQ(ValueOf(*mirror_.Find(Message(1))), 10);

  Apply(Connected(""));
  Apply(Snapshot({Upsert(1, 1), Upsert(2, 1), Upsert(3, 1), Upsert(4, 1)}));
  full = mirror_.Apply(Snapshot({Upsert(5, 1)}), &changes_);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(MirrorTest, ABatchWithAMalformedRowIsNotAppliedAtAll) {
  GoLive();
  const absl::Status bad = mirror_.Apply(
      At(Kind::kChanges, 6, {Upsert(1, 11), {Change::Kind::kUpsert, "\xff"}}),
      &changes_);
  EXPECT_EQ(bad.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Rows(), ElementsAre("1=10", "2=20"));
}

TEST_F(MirrorTest, KeysThatAreNotWatchedAnyMoreAreForgotten) {
  GoLive();
  ASSERT_TRUE(mirror_.Forget({Message(1), Message(7)}, &changes_).ok());
  EXPECT_THAT(Rows(), ElementsAre("2=20"));
  ASSERT_EQ(changes_.size(), 1u);
  EXPECT_EQ(changes_[0].kind, Change::Kind::kLeft);
  EXPECT_THAT(Told(), ElementsAre("10>-"));
  // In the middle of a snapshot too.
  Apply(Of(Kind::kReset));
  Apply(Snapshot({Upsert(2, 20), Upsert(3, 30)}, "after 3"));
  ASSERT_TRUE(mirror_.Forget({Message(2)}, &changes_).ok());
  Apply(Of(Kind::kDisconnected));
  Apply(Connected("after 3"));
  Apply(At(Kind::kSnapshotEnd, 9));
  EXPECT_THAT(Rows(), ElementsAre("3=30"));
}

TEST_F(MirrorTest, KeysReadAnotherWayAreOtherKeys) {
  GoLive();
  mirror_.SetOrder(KeyOrder({{2, KeyColumn::Type::kInt}}));
  // Until the new rows are whole, the old ones are found by the old keys.
  Apply(Of(Kind::kReset));
  Apply(Snapshot({Upsert(1, 10)}));
  EXPECT_EQ(ValueOf(*mirror_.Find(Message(2))), 20);
  Apply(At(Kind::kSnapshotEnd, 9));
  EXPECT_THAT(Told(), ElementsAre("10>-", "20>-", "->10"));
  EXPECT_EQ(ValueOf(*mirror_.Find(Message(1, 10))), 10);
}

TEST_F(MirrorTest, RowsBeforeTheirKeysOrderAreAnError) {
  Mirror bare;
  ASSERT_TRUE(bare.Apply(Connected(""), nullptr).ok());
  EXPECT_EQ(bare.Apply(Snapshot({Upsert(1, 1)}), nullptr).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(MirrorTest, WaitsForWhatIsToCome) {
  EXPECT_EQ(mirror_.WaitUntilLive(milliseconds(1)).code(),
            absl::StatusCode::kDeadlineExceeded);
  std::thread keeper([this] {
    GoLive();
    Apply(At(Kind::kChanges, 7, {Upsert(1, 11)}));
    Apply(At(Kind::kChanges, 9));
  });
  EXPECT_TRUE(mirror_.WaitUntilLive(kLong).ok());
  EXPECT_TRUE(mirror_.WaitUntilAt({"i", {{0, 8}}}, kLong).ok());
  keeper.join();
  EXPECT_EQ(ValueOf(*mirror_.Find(Message(1))), 11);
  EXPECT_FALSE(mirror_.Read().Reached({"i", {{0, 10}}}));
  EXPECT_FALSE(mirror_.Read().Reached({"i", {{1, 1}}}));
}

TEST_F(MirrorTest, WhoWaitsIsToldOfTheEnd) {
  GoLive();
  std::thread keeper([this] { mirror_.End(absl::DataLossError("a gap")); });
  const absl::Status never =
      mirror_.WaitUntilAt({"i", {{0, 100}}}, milliseconds(kLong));
  keeper.join();
  EXPECT_EQ(never, absl::DataLossError("a gap"));
  EXPECT_EQ(mirror_.state(), MirrorState::kEnded);
  EXPECT_THAT(Rows(), ElementsAre("1=10", "2=20"));
  EXPECT_TRUE(mirror_.WaitUntilAt({"i", {{0, 5}}}, milliseconds(1)).ok());
  mirror_.End(absl::OkStatus());
  EXPECT_EQ(mirror_.WaitUntilLive(milliseconds(1)).code(),
            absl::StatusCode::kCancelled);
}

// Every commit keeps the sum of the two rows at 100, and a reset does too.
TEST_F(MirrorTest, ReadersNeverSeeHalfACommit) {
  Apply(Connected(""));
  Apply(Snapshot({Upsert(1, 100), Upsert(2, 0)}));
  Apply(At(Kind::kSnapshotEnd, 1));
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  readers.reserve(2);
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done.load()) {
        int64_t sum = 0;
        mirror_.Read().rows.ForEach([&](const RowRef& row) {
          sum += ValueOf(*row);
          return true;
        });
        if (sum != 100) ++wrong;
      }
    });
  }
  for (uint64_t seq = 2; seq < 2'000; ++seq) {
    const auto part = static_cast<int64_t>(seq % 101);
    if (seq % 100 == 0) {
      Apply(Of(Kind::kReset));
      Apply(Snapshot({Upsert(1, part)}));
      Apply(Snapshot({Upsert(2, 100 - part)}));
      Apply(At(Kind::kSnapshotEnd, seq));
    } else {
      Apply(At(Kind::kChanges, seq, {Upsert(1, part), Upsert(2, 100 - part)}));
    }
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tidegate::client
