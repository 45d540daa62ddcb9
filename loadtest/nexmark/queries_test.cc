#include "loadtest/nexmark/queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(NexmarkQueriesTest, HasThoseThatWereAskedFor) {
  for (const char* name :
       {"q0", "q1", "q2", "q7", "q11", "q12", "q13", "q14"}) {
    EXPECT_THAT(NexmarkQueries(), Contains(name));
  }
}

TEST(NexmarkQueriesTest, OneQueryHasWhatItNeedsAndNoOther) {
  const auto files = NexmarkFiles({"q13"}, "house");
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 2u);
  EXPECT_EQ((*files)[0].first, "nexmark.proto");
  EXPECT_THAT((*files)[0].second, HasSubstr("message Bid"));
  const std::string& sql = (*files)[1].second;
  EXPECT_THAT(sql, HasSubstr("CREATE SOURCE bid"));
  EXPECT_THAT(sql, HasSubstr("topic = 'house-bid'"));
  EXPECT_THAT(sql, HasSubstr("CREATE TABLE side_input"));
  EXPECT_THAT(sql, HasSubstr("CREATE MATERIALIZED VIEW q13"));
  EXPECT_THAT(sql, Not(HasSubstr("CREATE MATERIALIZED VIEW q1 ")));
  EXPECT_THAT(sql, Not(HasSubstr("@PREFIX@")));
}

TEST(NexmarkQueriesTest, AllWithoutAName) {
  const auto files = NexmarkFiles({}, "house");
  ASSERT_TRUE(files.ok()) << files.status();
  for (const std::string& name : NexmarkQueries()) {
    EXPECT_THAT((*files)[1].second,
                HasSubstr("CREATE MATERIALIZED VIEW " + name + " "));
  }
}

TEST(NexmarkQueriesTest, RefusesWhatThereIsNot) {
  const auto files = NexmarkFiles({"q3"}, "house");
  EXPECT_EQ(files.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(files.status().message()),
              HasSubstr("no query \"q3\"; there are q0, q1, "));
}

}  // namespace
}  // namespace tidegate
