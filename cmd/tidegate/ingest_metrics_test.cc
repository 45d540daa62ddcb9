#include "cmd/tidegate/ingest_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
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
        &stats.buffered_events, &stats.buffered_bytes, &stats.spilled_bytes,
        &stats.awaiting_schema_records, &stats.awaiting_schema_partitions}) {
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
        "tidegate_awaiting_schema_records{pipeline=\"default\"} 21\n",
        "tidegate_awaiting_schema_partitions{pipeline=\"default\"} 22\n",
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

TEST(IngestMetricsTest, RegistriesByUrl) {
  RegistryStatus registry;
  registry.url = "http://registry:8081";
  registry.requests[static_cast<int>(RegistryOutcome::kDenied)] = 7;
  registry.cached = 3;
  registry.awaited = 2;
  registry.up = false;
  const auto scrape = [&registry] {
    const ViewHub hub;
    GatewayStats gateway{std::vector<std::string>(),
                         std::vector<std::string>()};
    const NoClock clock;
    Metrics metrics(&hub, &gateway, &clock);
    metrics.AddSource(
        [&](MetricSink* sink) { CollectRegistryMetrics({registry}, sink); });
    return metrics.Text();
  };
  const std::string text = scrape();
  constexpr char kRegistry[] = "registry=\"http://registry:8081\"";
  EXPECT_THAT(text,
              HasSubstr(absl::StrCat("tidegate_schema_registry_requests_total{",
                                     kRegistry, ",outcome=\"denied\"} 7\n")));
  EXPECT_THAT(text,
              HasSubstr(absl::StrCat("tidegate_schema_registry_requests_total{",
                                     kRegistry, ",outcome=\"ok\"} 0\n")));
  for (const char* line : {"up", "schemas_cached", "schemas_awaited"}) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("tidegate_schema_registry_", line,
                                             "{", kRegistry, "} ")));
  }
  EXPECT_THAT(text, HasSubstr(absl::StrCat("_up{", kRegistry, "} 0\n")));
  // Before the first answer it has no age.
  EXPECT_THAT(text, Not(HasSubstr("last_answer_age")));
  registry.last_answer_age_ms = 2'500;
  EXPECT_THAT(scrape(), HasSubstr(absl::StrCat(
                            "tidegate_schema_registry_last_answer_age_seconds{",
                            kRegistry, "} 2.5\n")));
}

}  // namespace
}  // namespace tidegate
