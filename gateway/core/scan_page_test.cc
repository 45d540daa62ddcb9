#include "gateway/core/scan_page.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// k0 to k9, of which every third has the value "yes".
class ScanPageTest : public testing::Test {
 protected:
  ScanPageTest() {
    filter_.view = kTestView;
    limits_.max_rows = 100;
    limits_.max_bytes = 1 << 20;
    FakeStore::Batch batch;
    for (int i = 0; i < 10; ++i) {
      const std::string name = absl::StrCat("k", i);
      batch[{kTestView, TestKey(name)}] =
          TestRow(name, i % 3 == 0 ? "yes" : "no");
    }
    store_.Commit(batch, ProcessingTime(1));
  }
  void Where(const std::string& text) {
    filter_.where = RowFilter::Compile(text, TestSchema()).value();
  }
  // The names of the next page's rows.
  std::vector<std::string> Page() {
    std::vector<std::string> names;
    const auto end = ReadPage(
        *store_.HeadView(), filter_, {}, end_.last_key, limits_,
        [this] { return ProcessingTime(++now_); },
        [&](absl::string_view row, Finality /*finality*/) {
          std::vector<Datum> columns(2);
          ASSERT_TRUE(DecodeRow(TestSchema(), row, MutableRow(columns)).ok());
          names.emplace_back(columns[0].text());
        });
    EXPECT_TRUE(end.ok()) << end.status();
    if (end.ok()) end_ = *end;
    return names;
  }

  FakeStore store_;
  SubscriptionFilter filter_;
  PageLimits limits_;
  PageEnd end_;
  int64_t now_ = 0;
};

TEST_F(ScanPageTest, PagesFollowOneAnother) {
  limits_.max_rows = 4;
  EXPECT_THAT(Page(), ElementsAre("k0", "k1", "k2", "k3"));
  EXPECT_TRUE(end_.more);
  EXPECT_EQ(end_.last_key, TestKey("k3"));
  EXPECT_THAT(Page(), ElementsAre("k4", "k5", "k6", "k7"));
  EXPECT_THAT(Page(), ElementsAre("k8", "k9"));
  EXPECT_FALSE(end_.more);
}

TEST_F(ScanPageTest, APageThatEndsWithTheRowsIsTheLast) {
  limits_.max_rows = 10;
  EXPECT_EQ(Page().size(), 10u);
  EXPECT_FALSE(end_.more);
}

TEST_F(ScanPageTest, BytesEndAPageAndTheFirstRowAlwaysFits) {
  const size_t row = TestRow("k0", "yes").size();
  limits_.max_bytes = 2 * row;
  EXPECT_THAT(Page(), ElementsAre("k0", "k1"));
  EXPECT_TRUE(end_.more);
  limits_.max_bytes = 1;
  EXPECT_THAT(Page(), ElementsAre("k2"));
  EXPECT_THAT(Page(), ElementsAre("k3"));
}

TEST_F(ScanPageTest, RowsOfAPrefixOnly) {
  filter_.prefix = TestKey("k7");
  EXPECT_THAT(Page(), ElementsAre("k7"));
  EXPECT_FALSE(end_.more);
  end_ = {};
  filter_.prefix = TestKey("k");  // a whole value, which no key has
  EXPECT_THAT(Page(), IsEmpty());
  EXPECT_FALSE(end_.more);
}

TEST_F(ScanPageTest, AConditionIsTriedOnSoManyRows) {
  Where("v = 'yes'");
  limits_.max_read_rows = 2;
  EXPECT_THAT(Page(), ElementsAre("k0"));
  EXPECT_EQ(end_.last_key, TestKey("k1"));
  EXPECT_THAT(Page(), ElementsAre("k3"));
  EXPECT_THAT(Page(), IsEmpty());
  EXPECT_TRUE(end_.more);
  EXPECT_THAT(Page(), ElementsAre("k6"));
  EXPECT_THAT(Page(), ElementsAre("k9"));
  EXPECT_FALSE(end_.more);
}

TEST_F(ScanPageTest, AConditionIsTriedOnSoManyBytes) {
  Where("v = 'maybe'");
  limits_.max_read_bytes = 1;  // one row, so that pages get on
  for (int i = 0; i < 9; ++i) {
    EXPECT_THAT(Page(), IsEmpty());
    EXPECT_TRUE(end_.more);
  }
  EXPECT_THAT(Page(), IsEmpty());
  EXPECT_FALSE(end_.more);
}

TEST_F(ScanPageTest, AConditionIsTriedForSoLong) {
  Where("v = 'yes'");
  limits_.until = ProcessingTime(5);  // the clock moves on with each look
  EXPECT_THAT(Page(), ElementsAre("k0", "k3"));
  EXPECT_EQ(end_.last_key, TestKey("k4"));
  EXPECT_THAT(Page(), IsEmpty());  // it is late already, and looks at one
  EXPECT_EQ(end_.last_key, TestKey("k5"));
  filter_.where = nullptr;  // then a page's rows limit it
  EXPECT_THAT(Page(), ElementsAre("k6", "k7", "k8", "k9"));
}

TEST_F(ScanPageTest, AMalformedRowIsAnError) {
  Where("v = 'yes'");
  store_.Commit({{{kTestView, TestKey("k1")}, std::string("\x12\x7f", 2)}},
                ProcessingTime(2));
  const auto end = ReadPage(
      *store_.HeadView(), filter_, {}, "", limits_,
      [] { return ProcessingTime(0); }, [](absl::string_view, Finality) {});
  EXPECT_EQ(end.status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace tidegate
