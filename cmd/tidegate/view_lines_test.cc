#include "cmd/tidegate/view_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using client::PartitionProgress;
using client::ViewDescription;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr ProcessingTime kNow{20'000'000};

ViewDescription SomeView() {
  ViewDescription view;
  view.name = "totals";
  view.definition = "CREATE …";
  view.key_columns = {"k", "window_start"};
  view.pipeline = "default";
  view.row_count_estimate = 7;
  view.position = {"\x01", {{0, 42}}};
  view.event_time_column = "ts";
  view.watermark_delay_ms = 500;
  return view;
}

TEST(ViewLinesTest, TheWatermarkItsLagAndItsHolder) {
  ViewDescription view = SomeView();
  view.watermark_us = 7'600'000;
  view.partitions = {{"orders", 0, 19'000'000, "active", false},
                     {"orders", 1, 7'600'000, "active", true},
                     {"rides", 0, std::nullopt, "idle", false}};
  EXPECT_EQ(HeldBackBy(view, kNow), "orders/1 active, 12.4 s behind");
  EXPECT_THAT(ViewCells(view, kNow),
              ElementsAre("totals", "k,window_start", "default", "7", "42",
                          "1970-01-01T00:00:07.600Z", "12.4 s",
                          "orders/1 active, 12.4 s behind", "ts - 500 ms"));
  EXPECT_EQ(ViewHeader().size(), ViewCells(view, kNow).size());
  const std::string line = ViewLine(view, kNow);
  EXPECT_THAT(line, HasSubstr(R"("watermark":"1970-01-01T00:00:07.600Z",)"
                              R"("watermark_lag_ms":12400,"partitions":[)"
                              R"({"topic":"orders","partition":0,"watermark":)"
                              R"("1970-01-01T00:00:19Z","lag_ms":1000,)"
                              R"("state":"active","holds_back":false},)"));
  EXPECT_THAT(line, HasSubstr(R"({"topic":"rides","partition":0,"watermark":)"
                              R"(null,"state":"idle","holds_back":false}])"));
}

TEST(ViewLinesTest, WithoutAWatermark) {
  ViewDescription view = SomeView();
  view.partitions = {{"orders", 2, 9'000'000, "active", true},
                     {"orders", 3, std::nullopt, "error", true}};
  EXPECT_EQ(HeldBackBy(view, kNow),
            "orders/3 error; orders/2 active, 11.0 s behind");
  EXPECT_EQ(ViewCells(view, kNow)[5], "-");
  EXPECT_EQ(ViewCells(view, kNow)[6], "-");
  EXPECT_THAT(ViewLine(view, kNow), HasSubstr(R"("watermark":null,"part)"));
}

TEST(ViewLinesTest, ManyHoldersAreCounted) {
  ViewDescription view = SomeView();
  for (uint32_t i = 0; i < 10; ++i) {
    view.partitions.push_back({"orders", i, std::nullopt, "no_events", true});
  }
  EXPECT_EQ(HeldBackBy(view, kNow),
            "orders/0 no_events; orders/1 no_events; 8 more");
}

TEST(ViewLinesTest, ViewsThatHaveNoEventTime) {
  ViewDescription view = SomeView();
  view.event_time_column.clear();
  view.watermark_delay_ms.reset();
  EXPECT_EQ(HeldBackBy(view, kNow), "-");
  EXPECT_EQ(ViewCells(view, kNow).back(), "-");
  EXPECT_THAT(ViewLine(view, kNow), HasSubstr(R"("partitions":[])"));
  EXPECT_THAT(ViewLine(view, kNow), Not(HasSubstr("event_time_column")));
}

}  // namespace
}  // namespace tidegate
