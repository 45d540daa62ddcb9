#include "loadtest/swarm/call_track.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "loadtest/swarm/testing.h"

namespace tidegate::swarm {
namespace {

using testing::ElementsAre;

// An Update of SessionResponse.
std::string Update(uint64_t id, const std::string& response) {
  return Wire().Bytes(1, Wire().Uint(1, id).Bytes(2, response));
}

// What Wire cannot tell apart by type.
std::string SnapshotEnd(uint64_t seq, const std::string& token) {
  return Wire().Uint(5, 1).Token(token).Position(seq);
}

class SessionTest : public testing::Test {
 protected:
  // The verdicts on one message.
  std::vector<std::string> Take(const std::string& message) {
    std::vector<std::string> verdicts;
    track_.Take(message, source_, &response_, [&](const absl::Status& verdict) {
      verdicts.emplace_back(verdict.message());
      updates_ += response_.updates;
    });
    return verdicts;
  }
  // Watch 1 to position 10, watch 2 to position 20.
  void GoLive() {
    track_.BeginStream();
    EXPECT_THAT(Take(Update(1, SnapshotEnd(10, "ten"))), ElementsAre(""));
    EXPECT_FALSE(track_.live());
    EXPECT_THAT(Take(Update(2, SnapshotEnd(20, "twenty"))), ElementsAre(""));
    EXPECT_TRUE(track_.live());
  }

  CallTrack track_{2};
  LatencySource source_;
  Response response_;
  size_t updates_ = 0;
};

TEST_F(SessionTest, AsksForAWatchAfterTheOtherWithTheirPartsOfTheKeys) {
  const std::vector<std::string> keys = {"a", "b", "c", "d", "e", "f"};
  SubscribeCall call;
  call.view = "v";
  call.keys = keys;
  call.first_key = 2;
  call.key_count = 4;
  const std::string first = Wire().Bytes(1, "v").Bytes(2, "c").Bytes(2, "d");
  const std::string second = Wire().Bytes(1, "v").Bytes(2, "e").Bytes(2, "f");
  const auto request = [](uint64_t id, const std::string& subscribe) {
    return std::string(
        Wire().Uint(1, id).Bytes(2, Wire().Uint(1, id).Bytes(2, subscribe)));
  };
  EXPECT_THAT(track_.Requests(call),
              ElementsAre(request(1, first), request(2, second)));
  EXPECT_EQ(track_.path(), "/tidegate.v1.ViewService/Session");
  EXPECT_TRUE(track_.stays_open());
}

TEST_F(SessionTest, EachWatchHasAContinuityOfItsOwn) {
  GoLive();
  const std::string both =
      Update(1, Wire().Upsert("a").Upsert("b").Range(10, 12)) +
      Update(2, Wire().Upsert("c").Range(20, 21));
  EXPECT_THAT(Take(both), ElementsAre("", ""));
  EXPECT_EQ(updates_, 3u);
  // What continues one does not continue the other.
  EXPECT_THAT(Take(Update(1, Wire().Upsert("a").Range(12, 13)) +
                   Update(2, Wire().Upsert("a").Range(12, 13))),
              ElementsAre("",
                          "range (12, 13] of partition 0 does not continue "
                          "position 21"));
}

TEST_F(SessionTest, ResumesEachWatchWithItsToken) {
  GoLive();
  EXPECT_TRUE(track_.resumes());
  Take(Update(2, Wire().Upsert("a").Range(20, 21).Token("next")));
  track_.BeginStream();
  SubscribeCall call;
  call.view = "v";
  const std::vector<std::string> requests = track_.Requests(call);
  EXPECT_THAT(requests[0], testing::HasSubstr("ten"));
  EXPECT_THAT(requests[1], testing::HasSubstr("next"));
  EXPECT_TRUE(track_.live());
  EXPECT_THAT(Take(Update(1, Wire().Upsert("a").Range(10, 11)) +
                   Update(2, Wire().Upsert("a").Range(22, 23))),
              ElementsAre("",
                          "range (22, 23] of partition 0 does not continue "
                          "position 21"));
}

TEST_F(SessionTest, AResetConcernsOneWatch) {
  GoLive();
  Take(Update(1, Wire().Bytes(10, Wire().Uint(1, 1))));
  EXPECT_TRUE(response_.reset);
  EXPECT_FALSE(track_.live());
  EXPECT_EQ(track_.token(0), "");
  EXPECT_EQ(track_.token(1), "twenty");
}

TEST_F(SessionTest, ReadsADrainOfTheSession) {
  GoLive();
  EXPECT_THAT(Take(Wire().Bytes(2, Wire().Bytes(1, Wire().Uint(1, 3)))),
              ElementsAre(""));
  EXPECT_TRUE(response_.drain);
  EXPECT_EQ(response_.retry_after_ms, 3'000);
}

TEST_F(SessionTest, ReadsTheFailureOfAWatch) {
  GoLive();
  const std::string failure = Wire().Uint(1, 14).Bytes(2, "rebuilding");
  const std::string update = Wire().Uint(1, 2).Bytes(4, failure);
  std::string seen;
  track_.Take(std::string(Wire().Bytes(1, update)), source_, &response_,
              [&](const absl::Status& verdict) {
                EXPECT_TRUE(verdict.ok());
                seen = std::string(response_.failure);
              });
  EXPECT_TRUE(response_.failed);
  EXPECT_EQ(response_.failure_code, 14);
  EXPECT_EQ(seen, "rebuilding");
}

TEST_F(SessionTest, AnUpdateOfNoWatchIsReported) {
  GoLive();
  EXPECT_THAT(Take(Update(3, Wire().Range(1, 2))),
              ElementsAre("update of a watch that was not asked for: 3"));
  EXPECT_THAT(Take("\x0a\x7f"),
              ElementsAre("session response that cannot be read"));
}

TEST(CallTrackTest, ASubscribeCallIsOneRequest) {
  CallTrack track;
  SubscribeCall call;
  call.view = "v";
  EXPECT_THAT(track.Requests(call),
              ElementsAre(std::string(Wire().Bytes(1, "v"))));
  EXPECT_EQ(track.path(), "/tidegate.v1.ViewService/Subscribe");
  EXPECT_FALSE(track.stays_open());
  EXPECT_FALSE(track.resumes());
}

}  // namespace
}  // namespace tidegate::swarm
