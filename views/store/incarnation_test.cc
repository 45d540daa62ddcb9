#include "views/store/incarnation.h"

#include "gtest/gtest.h"

namespace tidegate {
namespace {

std::string Id(char c) { return std::string(kIncarnationBytes, c); }

TEST(TokenHonoured, Table) {
  const std::vector<Incarnation> list = {
      {Id('a'), Seq(1)}, {Id('b'), Seq(11)}, {Id('c'), Seq(21)}};
  const struct {
    char id;
    uint64_t seq;
    bool honoured;
  } kCases[] = {
      {'a', 0, true},  {'a', 10, true}, {'a', 11, false}, {'a', 25, false},
      {'b', 5, true},  {'b', 11, true}, {'b', 20, true},  {'b', 21, false},
      {'c', 21, true}, {'c', 30, true}, {'c', 31, false}, {'c', 3, true},
      {'x', 5, false},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(TokenHonoured(list, Id(c.id), Seq(c.seq), Seq(30)), c.honoured)
        << c.id << " " << c.seq;
  }
  EXPECT_FALSE(TokenHonoured({}, Id('a'), Seq(0), Seq(0)));
}

// A start whose commits were all lost leaves an empty stretch.
TEST(TokenHonoured, StartsWithoutCommits) {
  const std::vector<Incarnation> list = {
      {Id('a'), Seq(1)}, {Id('b'), Seq(11)}, {Id('c'), Seq(11)}};
  EXPECT_TRUE(TokenHonoured(list, Id('b'), Seq(10), Seq(15)));
  EXPECT_FALSE(TokenHonoured(list, Id('b'), Seq(11), Seq(15)));
  EXPECT_TRUE(TokenHonoured(list, Id('c'), Seq(11), Seq(15)));
}

// A backup came back: what a later start gave out anew is not trusted, even if
// the next start began higher.
TEST(TokenHonoured, EveryLaterStartCounts) {
  const std::vector<Incarnation> list = {
      {Id('a'), Seq(1)}, {Id('b'), Seq(20)}, {Id('c'), Seq(11)}};
  EXPECT_TRUE(TokenHonoured(list, Id('a'), Seq(10), Seq(30)));
  EXPECT_FALSE(TokenHonoured(list, Id('a'), Seq(15), Seq(30)));
}

TEST(Incarnations, RoundTripAndDamage) {
  const std::vector<Incarnation> list = {{Id('a'), Seq(1)},
                                         {Id('b'), Seq(1000)}};
  const std::string bytes = EncodeIncarnations(list);
  EXPECT_EQ(DecodeIncarnations(bytes).value(), list);
  EXPECT_TRUE(DecodeIncarnations(EncodeIncarnations({})).value().empty());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(DecodeIncarnations(damaged).status().code(),
              absl::StatusCode::kDataLoss);
    EXPECT_FALSE(DecodeIncarnations(bytes.substr(0, i)).ok());
  }
}

}  // namespace
}  // namespace tidegate
