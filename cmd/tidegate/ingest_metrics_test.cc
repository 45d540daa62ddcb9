#include "cmd/tidegate/ingest_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/core/stats.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class NoClock : public Clock {
 public:
  ProcessingTime Now() const override { return ProcessingTime(); }
};

std::string Scrape(const FoldLoopStats& stats,
                   const std::vector<DivertedCount>& diverted) {
  const ViewHub hub;
  GatewayStats gateway{std::vector<std::string>(), std::vector<std::string>()};
  const NoClock clock;
  Metrics metrics(&hub, &gateway, &clock);
  metrics.AddSource([&](MetricSink* sink) {
    CollectIngestMetrics("default", stats, diverted, sink);
  });
  return metrics.Text();
}

TEST(IngestMetricsTest, EveryCounterHasItsMetric) {
  FoldLoopStats stats;
  int64_t value = 10;
  for (std::atomic<int64_t>* counter :
       {&stats.records, &stats.bytes, &stats.output_errors, &stats.bad_records,
        &stats.diverted, &stats.late_table_rows, &stats.lag_records,
        &stats.buffered_events, &stats.buffered_bytes, &stats.spilled_bytes}) {
    *counter = ++value;
  }
  const std::string text = Scrape(stats, {});
  for (const char* line :
       {"tidegate_records_total{pipeline=\"default\"} 11\n",
        "tidegate_record_bytes_total{pipeline=\"default\"} 12\n",
        "tidegate_output_errors_total{pipeline=\"default\"} 13\n",
        "tidegate_bad_records_total{pipeline=\"default\"} 14\n",
        "tidegate_diverted_records_total{pipeline=\"default\"} 15\n",
        "tidegate_late_table_rows_total{pipeline=\"default\"} 16\n",
        "tidegate_lag_records{pipeline=\"default\"} 17\n",
        "tidegate_reorder_buffered_events{pipeline=\"default\"} 18\n",
        "tidegate_reorder_buffered_bytes{pipeline=\"default\"} 19\n",
        "tidegate_reorder_spilled_bytes{pipeline=\"default\"} 20\n",
        "# TYPE tidegate_late_table_rows_total counter",
        "# TYPE tidegate_reorder_spilled_bytes gauge"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("tidegate_diverted_total")));
}

TEST(IngestMetricsTest, DivertedEventsByReasonAndView) {
  const std::string text =
      Scrape(FoldLoopStats(), {{"orders", "", DivertReason::kUndecodable, 3},
                               {"orders", "totals", DivertReason::kLate, 4}});
  EXPECT_THAT(text, HasSubstr("tidegate_diverted_total{pipeline=\"default\","
                              "source=\"orders\",view=\"\",reason="
                              "\"undecodable\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("tidegate_diverted_total{pipeline=\"default\","
                              "source=\"orders\",view=\"totals\",reason="
                              "\"late\"} 4\n"));
}

}  // namespace
}  // namespace tidegate
