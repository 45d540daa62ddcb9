#include "gateway/core/resume_token.h"

#include <set>

#include "base/coding.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/testing.h"
#include "gtest/gtest.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

ResumeToken Sample() {
  ResumeToken token;
  token.view_hash = Fnv1a64("things");
  token.view_version = 3;
  token.filter_hash = FilterHash(SubscriptionFilter());
  token.incarnation = std::string(16, 'A');
  token.seq = Seq(4);
  return token;
}

TEST(ResumeTokenTest, ReadsBackWhatItWrote) {
  ResumeToken token = Sample();
  EXPECT_EQ(*DecodeToken(EncodeToken(token)), token);
  token.snapshot = SnapshotProgress{Seq(2), std::string("k\0x", 3), true};
  EXPECT_EQ(*DecodeToken(EncodeToken(token)), token);
}

TEST(ResumeTokenTest, EveryFlippedByteAndEveryCutIsMalformed) {
  ResumeToken token = Sample();
  token.snapshot = SnapshotProgress{Seq(2), "key", false};
  const std::string bytes = EncodeToken(token);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string bad = bytes;
    bad[i] ^= 0x20;
    EXPECT_EQ(DecodeToken(bad).status().code(),
              absl::StatusCode::kInvalidArgument)
        << i;
    EXPECT_FALSE(DecodeToken(bytes.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(DecodeToken(std::string(kMaxTokenBytes + 1, 'x')).ok());
}

std::shared_ptr<const RowFilter> Where(absl::string_view text) {
  return RowFilter::Compile(text, TestSchema()).value();
}

SubscriptionFilter WithKeys(std::vector<std::string> keys) {
  SubscriptionFilter filter;
  filter.all_rows = false;
  filter.keys = std::move(keys);
  return filter;
}

TEST(ResumeTokenTest, FilterHashTellsFiltersApart) {
  std::vector<SubscriptionFilter> filters = {SubscriptionFilter(), WithKeys({}),
                                             WithKeys({"a", "b"}),
                                             WithKeys({"ab"})};
  filters.push_back(WithKeys({}));
  filters.back().growing = true;
  for (const char* prefix : {"a", "b", "ab"}) {
    filters.emplace_back().prefix = prefix;
  }
  const size_t without_where = filters.size();
  for (const char* where : {"v = 'x'", "v = 'y'"}) {
    for (size_t i = 0; i < without_where; ++i) {
      filters.push_back(filters[i]);
      filters.back().where = Where(where);
    }
  }
  std::set<uint64_t> hashes;
  for (const SubscriptionFilter& filter : filters) {
    hashes.insert(FilterHash(filter));
  }
  EXPECT_EQ(hashes.size(), filters.size());
}

TEST(ResumeTokenTest, FilterHashDependsOnWhatIsMeant) {
  SubscriptionFilter a = WithKeys({"a"});
  SubscriptionFilter b = WithKeys({"b"});
  a.growing = b.growing = true;
  EXPECT_EQ(FilterHash(a), FilterHash(b)) << "keys come and go";
  a = b = SubscriptionFilter();
  a.where = Where("v = 'x'");
  b.where = Where("  V='x' -- the same");
  EXPECT_EQ(FilterHash(a), FilterHash(b));
}

class JudgeTokenTest : public testing::Test {
 protected:
  JudgeTokenTest() {
    for (int i = 0; i < 6; ++i) store_.Commit({}, ProcessingTime(i + 1));
  }
  absl::StatusOr<TokenVerdict> Judge(const ResumeToken& token) {
    return JudgeToken(token, "things", 3, FilterHash(SubscriptionFilter()),
                      store_);
  }
  FakeStore store_;
};

TEST_F(JudgeTokenTest, HonoursAPositionOfThisHistory) {
  EXPECT_FALSE(Judge(Sample())->reset.has_value());
}

TEST_F(JudgeTokenTest, OtherViewAndOtherFilterAreTheClientsMistake) {
  ResumeToken token = Sample();
  token.view_hash++;
  EXPECT_NE(Judge(token).status().message().find("another view"),
            absl::string_view::npos);
  token = Sample();
  token.filter_hash++;
  EXPECT_EQ(Judge(token).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Judge(token).status().message().find("another filter"),
            absl::string_view::npos);
}

TEST_F(JudgeTokenTest, NamesTheCauseOfAReset) {
  ResumeToken token = Sample();
  token.view_version = 2;
  EXPECT_EQ(Judge(token)->reset, ResetCause::kViewRebuilt);
  token = Sample();
  token.incarnation = std::string(16, 'Z');
  EXPECT_EQ(Judge(token)->reset, ResetCause::kUnknownIncarnation);
  token = Sample();
  token.seq = Seq(7);  // beyond the head
  EXPECT_EQ(Judge(token)->reset, ResetCause::kUnknownIncarnation);
  store_.MoveBase();
  store_.Trim(Seq(5));
  EXPECT_EQ(Judge(Sample())->reset, ResetCause::kHistoryTrimmed);
}

TEST_F(JudgeTokenTest, APositionThatARestartLostIsNotHonoured) {
  store_.Restart(std::string(16, 'B'), /*lost=*/2);  // B begins at 5
  ResumeToken token = Sample();
  EXPECT_FALSE(Judge(token)->reset.has_value());
  token.seq = Seq(5);
  store_.Commit({}, ProcessingTime(9));
  EXPECT_EQ(Judge(token)->reset, ResetCause::kUnknownIncarnation);
  token.incarnation = std::string(16, 'B');
  EXPECT_FALSE(Judge(token)->reset.has_value());
}

TEST_F(JudgeTokenTest, ASnapshotNeedsTheLogFromItsOldestRow) {
  ResumeToken token = Sample();
  token.seq = Seq(6);
  token.snapshot = SnapshotProgress{Seq(2), "k", false};
  EXPECT_FALSE(Judge(token)->reset.has_value());
  store_.MoveBase();
  store_.Trim(Seq(3));
  EXPECT_EQ(Judge(token)->reset, ResetCause::kHistoryTrimmed);
}

}  // namespace
}  // namespace tidegate
