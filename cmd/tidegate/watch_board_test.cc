#include "cmd/tidegate/watch_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace tidegate {
namespace {

using client::Event;
using client::SessionEvent;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Event::Kind;

// Keeps what it is shown; fails at a reset.
class Recorder : public Screen {
 public:
  explicit Recorder(std::vector<Event>* events) : events_(events) {}
  absl::Status Show(const Event& event) override {
    events_->push_back(event);
    if (event.kind == Kind::kReset) return absl::DataLossError("unreadable");
    return absl::OkStatus();
  }

 private:
  std::vector<Event>* const events_;
};

SessionEvent Of(uint32_t watch, Kind kind, const std::string& token = "") {
  SessionEvent event;
  event.watch = watch;
  if (watch == 0) event.kind = SessionEvent::Kind::kSession;
  event.event.kind = kind;
  event.event.token = token;
  if (kind == Kind::kSnapshotEnd || kind == Kind::kChanges) {
    event.event.position = {"i", {{0, token.size()}}};
  }
  return event;
}

class WatchBoardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    board_.Add(1, "one", std::make_unique<Recorder>(&one_));
    board_.Add(2, "two", std::make_unique<Recorder>(&two_));
  }
  void Show(const SessionEvent& event) { EXPECT_TRUE(board_.Show(event).ok()); }
  static std::vector<Kind> Kinds(const std::vector<Event>& events) {
    std::vector<Kind> kinds;
    kinds.reserve(events.size());
    for (const Event& event : events) kinds.push_back(event.kind);
    return kinds;
  }

  std::vector<Event> one_;
  std::vector<Event> two_;
  WatchBoard board_;
};

TEST_F(WatchBoardTest, EachScreenHasItsOwn) {
  Show(Of(1, Kind::kConnected));
  Show(Of(2, Kind::kConnected));
  Show(Of(1, Kind::kSnapshotEnd, "t"));
  EXPECT_FALSE(board_.all_snapshots_ended());
  Show(Of(2, Kind::kSnapshotEnd, "t"));
  EXPECT_TRUE(board_.all_snapshots_ended());
  Show(Of(2, Kind::kChanges, "tt"));
  EXPECT_THAT(Kinds(one_), ElementsAre(Kind::kConnected, Kind::kSnapshotEnd));
  EXPECT_THAT(Kinds(two_), ElementsAre(Kind::kConnected, Kind::kSnapshotEnd,
                                       Kind::kChanges));
  EXPECT_EQ(board_.view(2), "two");
  EXPECT_EQ(board_.view(0), "");
}

// A drain is of the session: each watch is told where it would resume.
TEST_F(WatchBoardTest, ADrainTellsEachWatchItsToken) {
  Show(Of(1, Kind::kConnected));
  Show(Of(1, Kind::kSnapshotEnd, "t"));
  Show(Of(1, Kind::kChanges, "tt"));
  SessionEvent drain = Of(0, Kind::kDrain);
  drain.event.retry_after_ms = 7;
  Show(drain);
  ASSERT_EQ(one_.back().kind, Kind::kDrain);
  EXPECT_EQ(one_.back().token, "tt");
  EXPECT_EQ(one_.back().position->seqs.at(0), 2u);
  EXPECT_EQ(one_.back().retry_after_ms, 7);
  EXPECT_THAT(two_, IsEmpty()) << "nothing came for it yet";
  Show(Of(0, Kind::kDisconnected));
  EXPECT_EQ(one_.back().kind, Kind::kDisconnected);
  const size_t count = one_.size();
  Show(Of(0, Kind::kDisconnected));
  EXPECT_EQ(one_.size(), count);

  Show(Of(1, Kind::kConnected, "tt"));
  Show(drain);
  EXPECT_EQ(one_.back().token, "tt");
  EXPECT_EQ(one_.back().position->seqs.at(0), 2u);
  Show(Of(0, Kind::kDisconnected));
  Show(Of(1, Kind::kConnected));
  Show(Of(1, Kind::kSnapshot, "middle"));
  Show(Of(1, Kind::kSnapshot));
  Show(drain);
  EXPECT_EQ(one_.back().token, "middle");
  EXPECT_FALSE(one_.back().position.has_value());
}

TEST_F(WatchBoardTest, AWatchThatIsRefusedIsNamed) {
  SessionEvent failed;
  failed.kind = SessionEvent::Kind::kFailed;
  failed.watch = 2;
  failed.failure = absl::InvalidArgumentError("where: no");
  const absl::Status status = board_.Show(failed);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "view \"two\": where: no");
  EXPECT_THAT(two_, IsEmpty());
}

TEST_F(WatchBoardTest, AScreenThatFailsIsHeard) {
  Show(Of(1, Kind::kConnected));
  EXPECT_EQ(board_.Show(Of(1, Kind::kReset)).code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace tidegate
