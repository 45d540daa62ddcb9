// Scan of some rows over a real connection.
#include "absl/strings/str_cat.h"
#include "gateway/grpc/scan_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ScanTest : public ScanFixture {
 protected:
  void PutSome() {
    Commit({{{"EU", 1}, ScanRow{"EU", 1, 10}},
            {{"EU", 2}, ScanRow{"EU", 2, 20}},
            {{"EU", 3}, ScanRow{"EU", 3, {}}},
            {{"EUR", 4}, ScanRow{"EUR", 4, 20}},
            {{"US", 2}, ScanRow{"US", 2, 20}}});
  }
  void ExpectRefused(const std::string& said) {
    const grpc::Status status = Page();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(said));
  }
};

TEST_F(ScanTest, RowsOfAPrefixAndOfACondition) {
  PutSome();
  StartServer();
  filter_.set_key_prefix(Prefix("EU"));
  EXPECT_THAT(All(), ElementsAre("EU/1", "EU/2", "EU/3"));
  filter_.set_key_prefix(Prefix("EU", 2));
  EXPECT_THAT(All(), ElementsAre("EU/2"));
  filter_.set_key_prefix(Prefix("AS"));
  EXPECT_THAT(All(), IsEmpty());
  filter_.clear_key_prefix();
  filter_.set_where("v > 10");
  EXPECT_THAT(All(), ElementsAre("EU/2", "EUR/4", "US/2"));
  filter_.set_key_prefix(Prefix("EU"));
  EXPECT_THAT(All(), ElementsAre("EU/2"));
  filter_.set_where("v IS NULL");
  EXPECT_THAT(All(), ElementsAre("EU/3"));
}

TEST_F(ScanTest, WhatIsWrongIsNamedWithItsPlace) {
  PutSome();
  StartServer();
  filter_.set_where("v > 1 AND\n regoin = 'EU'");
  ExpectRefused(
      "where: 2:2: unknown column \"regoin\"; did you mean \"region\"?");
  filter_.set_where("v");
  ExpectRefused("where: 1:1: ");
  filter_.clear_where();
  filter_.set_key_prefix("\x12\x01");
  ExpectRefused("key_prefix of view \"things\": ");
  std::string second_only;
  const Datum columns[] = {Datum::Null(), Datum::Int(2), Datum::Null()};
  EncodeKeyMessage(Schema(), columns, &second_only);
  filter_.set_key_prefix(second_only);
  ExpectRefused("sets column \"n\" but not the one before it, \"region\"");
}

TEST_F(ScanTest, APageComesShortAfterItsWork) {
  for (int i = 0; i < 10; ++i) PutRow({"EU", i, i});
  ServerOptions options;
  options.max_page_read_rows = 3;
  StartServer(options);
  filter_.set_where("v = 4 OR v = 5");
  ASSERT_TRUE(Page().ok());
  EXPECT_EQ(page_.rows_size(), 0);
  EXPECT_FALSE(page_.next_page_token().empty());
  EXPECT_THAT(All(), ElementsAre("EU/4", "EU/5"));
  EXPECT_EQ(pages_, 4);
  filter_.set_where("v = 40");
  filter_.clear_page_token();
  EXPECT_THAT(All(), IsEmpty());
  EXPECT_EQ(pages_, 4);
}

// The LIKE takes some 4,000,000 steps a row.
TEST_F(ScanTest, AConditionThatTakesLongEndsThePage) {
  std::map<Key, std::optional<ScanRow>> rows;
  for (int i = 0; i < 500; ++i) {
    const std::string text(4'000, 'a');
    rows[{text, i}] = ScanRow{text, i, i};
  }
  Commit(rows);
  StartServer();
  filter_.set_where(
      absl::StrCat("region LIKE '%", std::string(2'000, 'a'), "b'"));
  ASSERT_TRUE(Page().ok());
  EXPECT_EQ(page_.rows_size(), 0);
  EXPECT_FALSE(page_.next_page_token().empty());
}

TEST_F(ScanTest, ATokenBelongsToItsViewPrefixAndCondition) {
  catalog_.views.push_back(catalog_.views[0]);
  catalog_.views[1].id = ViewId(2);
  catalog_.views[1].name = "others";
  OpenStore("B");
  PutSome();
  StartServer();
  filter_.set_key_prefix(Prefix("EU"));
  filter_.set_where("v >= 10");
  filter_.set_page_size(1);
  ASSERT_TRUE(Page().ok());
  ASSERT_EQ(page_.rows_size(), 1);
  filter_.set_page_token(page_.next_page_token());
  const v1::ScanRequest good = filter_;

  filter_.set_key_prefix(Prefix("EUR"));
  ExpectRefused("page_token belongs to another key_prefix");
  filter_.clear_key_prefix();
  ExpectRefused("page_token belongs to another key_prefix");
  filter_ = good;
  filter_.set_where("v > 10");
  ExpectRefused("page_token belongs to another where");
  filter_.clear_where();
  ExpectRefused("page_token belongs to another where");
  filter_ = good;
  filter_.set_view("others");
  ExpectRefused("page_token belongs to another view than \"others\"");

  filter_ = good;
  filter_.set_where("\"v\">=10 -- the same");
  filter_.set_page_size(5);
  ASSERT_TRUE(Page().ok());
  EXPECT_EQ(page_.rows_size(), 1);
  EXPECT_TRUE(page_.next_page_token().empty());
}

TEST_F(ScanTest, MinPositionGoesWithEveryPageOfItsScan) {
  PutSome();
  StartServer();
  filter_.set_where("v = 20");
  filter_.set_page_size(1);
  v1::PartitionSeq* const seq =
      filter_.mutable_min_position()->add_partitions();
  filter_.mutable_min_position()->set_incarnation(
      std::string(kIncarnationBytes, 'A'));
  seq->set_seq(store_->head().value());
  ASSERT_TRUE(Page().ok());
  filter_.set_page_token(page_.next_page_token());
  PutRow({"US", 2, 0});
  ASSERT_TRUE(Page().ok());
  EXPECT_EQ(page_.position().partitions(0).seq(), seq->seq());
  filter_.set_page_token(page_.next_page_token());
  seq->set_seq(seq->seq() + 1);
  ExpectRefused("page_token is of position 1, below min_position 2");
  filter_.clear_page_token();
  EXPECT_THAT(All(), ElementsAre("EU/2", "EUR/4"));
}

TEST_F(ScanTest, AScanEndsWithTheServer) {
  PutSome();
  StartServer();
  filter_.set_where("v = 20");
  filter_.set_page_size(1);
  ASSERT_TRUE(Page().ok());
  filter_.set_page_token(page_.next_page_token());
  Restart("B");
  const grpc::Status status = Page();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("start again without"));
}

}  // namespace
}  // namespace tidegate
