#include "clients/cpp/stream_cursor.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tidegate/v1/view_service.pb.h"

namespace tidegate::client {
namespace {

using Kind = Event::Kind;
using v1::SubscribeResponse;

SubscribeResponse Positioned(uint64_t seq) {
  SubscribeResponse response;
  response.mutable_position()->set_incarnation("i1");
  response.mutable_position()->add_partitions()->set_seq(seq);
  return response;
}

SubscribeResponse SnapshotRow(const std::string& row) {
  SubscribeResponse response;
  response.set_snapshot(true);
  response.add_changes()->set_upsert(row);
  return response;
}

SubscribeResponse End(uint64_t seq) {
  SubscribeResponse response = Positioned(seq);
  response.set_snapshot_end(true);
  response.set_resume_token("t" + std::to_string(seq));
  return response;
}

SubscribeResponse Delta(uint64_t from, uint64_t to,
                        const std::string& row = "") {
  SubscribeResponse response;
  if (!row.empty()) response.add_changes()->set_upsert(row);
  v1::Range* range = response.add_ranges();
  range->set_from(from);
  range->set_to(to);
  response.set_resume_token("t" + std::to_string(to));
  return response;
}

class StreamCursorTest : public ::testing::Test {
 protected:
  absl::Status Take(SubscribeResponse response) {
    return cursor_.Take(std::move(response), [this](Event event) {
      events_.push_back(std::move(event));
    });
  }
  std::vector<Kind> TakeKinds() {
    std::vector<Kind> kinds;
    for (const Event& event : events_) kinds.push_back(event.kind);
    events_.clear();
    return kinds;
  }
  // Through the snapshot, to position 5.
  void GoLive() {
    cursor_.BeginStream();
    ASSERT_TRUE(Take(Positioned(5)).ok());
    ASSERT_TRUE(Take(SnapshotRow("a")).ok());
    ASSERT_TRUE(Take(End(5)).ok());
  }

  StreamCursor cursor_{""};
  std::vector<Event> events_;
};

TEST_F(StreamCursorTest, SnapshotThenDeltas) {
  GoLive();
  ASSERT_TRUE(Take(Delta(5, 7, "b")).ok());
  EXPECT_EQ(events_.back().position->seqs.at(0), 7u);
  EXPECT_EQ(events_.back().position->incarnation, "i1");
  EXPECT_EQ(events_.back().token, "t7");
  EXPECT_EQ(TakeKinds(),
            (std::vector<Kind>{Kind::kConnected, Kind::kSnapshot,
                               Kind::kSnapshotEnd, Kind::kChanges}));
  EXPECT_EQ(cursor_.token(), "t7");
}

TEST_F(StreamCursorTest, FragmentsBecomeOneBatch) {
  GoLive();
  TakeKinds();
  SubscribeResponse fragment;
  fragment.add_changes()->set_upsert("b");
  fragment.set_fragment(true);
  ASSERT_TRUE(Take(std::move(fragment)).ok());
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(cursor_.token(), "t5");
  SubscribeResponse last = Delta(5, 6);
  last.add_changes()->set_deleted("k");
  ASSERT_TRUE(Take(std::move(last)).ok());
  ASSERT_EQ(events_.size(), 1u);
  ASSERT_EQ(events_[0].changes.size(), 2u);
  EXPECT_EQ(events_[0].changes[0].bytes, "b");
  EXPECT_EQ(events_[0].changes[1].kind, Change::Kind::kDeleted);
}

TEST_F(StreamCursorTest, RowsKeepTheirFinality) {
  cursor_.BeginStream();
  SubscribeResponse row = SnapshotRow("a");
  *row.mutable_position() = Positioned(5).position();
  row.mutable_changes(0)->set_finality(v1::FINALITY_FINAL);
  ASSERT_TRUE(Take(std::move(row)).ok());
  EXPECT_EQ(events_.back().changes[0].finality, Finality::kFinal);
  ASSERT_TRUE(Take(End(5)).ok());
  SubscribeResponse fragment;
  fragment.add_changes()->set_upsert("b");
  fragment.mutable_changes(0)->set_finality(v1::FINALITY_PROVISIONAL);
  fragment.set_fragment(true);
  ASSERT_TRUE(Take(std::move(fragment)).ok());
  SubscribeResponse last = Delta(5, 6, "c");
  last.mutable_changes(0)->set_finality(v1::FINALITY_CORRECTED);
  last.add_changes()->set_upsert("no windows");
  ASSERT_TRUE(Take(std::move(last)).ok());
  std::vector<Finality> finality;
  for (const Change& change : events_.back().changes) {
    finality.push_back(change.finality);
  }
  EXPECT_EQ(finality,
            (std::vector<Finality>{Finality::kProvisional, Finality::kCorrected,
                                   Finality::kNone}));
}

TEST_F(StreamCursorTest, FragmentsOfACutStreamAreForgotten) {
  GoLive();
  TakeKinds();
  SubscribeResponse fragment;
  fragment.add_changes()->set_upsert("b");
  fragment.set_fragment(true);
  ASSERT_TRUE(Take(std::move(fragment)).ok());
  cursor_.BeginStream();
  ASSERT_TRUE(Take(Delta(5, 8, "c")).ok());
  ASSERT_EQ(events_.size(), 2u);
  EXPECT_EQ(events_[0].kind, Kind::kConnected);
  EXPECT_EQ(events_[0].token, "t5");
  ASSERT_EQ(events_[1].changes.size(), 1u);
  EXPECT_EQ(events_[1].changes[0].bytes, "c");
}

TEST_F(StreamCursorTest, BrokenContinuityIsAnError) {
  for (const SubscribeResponse& response :
       {Delta(6, 8), Delta(4, 8), Delta(5, 4), SnapshotRow("a"), End(9)}) {
    cursor_ = StreamCursor("");
    GoLive();
    TakeKinds();
    EXPECT_EQ(Take(response).code(), absl::StatusCode::kDataLoss)
        << response.DebugString();
    EXPECT_TRUE(events_.empty());
  }
  cursor_ = StreamCursor("");
  cursor_.BeginStream();
  EXPECT_EQ(Take(Delta(5, 6)).code(), absl::StatusCode::kDataLoss);
}

TEST_F(StreamCursorTest, ChangesNeedARange) {
  GoLive();
  SubscribeResponse response;
  response.add_changes()->set_upsert("b");
  EXPECT_EQ(Take(std::move(response)).code(), absl::StatusCode::kDataLoss);
}

TEST_F(StreamCursorTest, ResetStartsOver) {
  GoLive();
  cursor_.BeginStream();
  TakeKinds();
  SubscribeResponse reset = Positioned(90);
  reset.mutable_reset()->set_cause(v1::Reset::HISTORY_TRIMMED);
  ASSERT_TRUE(Take(std::move(reset)).ok());
  EXPECT_EQ(events_.back().cause, "HISTORY_TRIMMED");
  EXPECT_EQ(cursor_.token(), "");
  ASSERT_TRUE(Take(End(90)).ok());
  ASSERT_TRUE(Take(Delta(90, 91)).ok());
  EXPECT_EQ(TakeKinds(),
            (std::vector<Kind>{Kind::kConnected, Kind::kReset,
                               Kind::kSnapshotEnd, Kind::kChanges}));
}

TEST_F(StreamCursorTest, DrainCarriesTokenAndDelay) {
  GoLive();
  SubscribeResponse drain;
  drain.set_resume_token("d");
  drain.mutable_drain()->mutable_retry_after()->set_nanos(250'000'000);
  ASSERT_TRUE(Take(std::move(drain)).ok());
  EXPECT_EQ(events_.back().kind, Kind::kDrain);
  EXPECT_EQ(events_.back().retry_after_ms, 250);
  EXPECT_EQ(cursor_.token(), "d");
}

TEST_F(StreamCursorTest, ForeignTokenTakesThePositionItFinds) {
  cursor_ = StreamCursor("from elsewhere");
  cursor_.BeginStream();
  ASSERT_TRUE(Take(Delta(41, 42)).ok());
  EXPECT_EQ(cursor_.position()->seqs.at(0), 42u);
  EXPECT_EQ(Take(Delta(43, 44)).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace tidegate::client
