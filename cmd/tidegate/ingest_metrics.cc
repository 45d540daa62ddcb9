#include "cmd/tidegate/ingest_metrics.h"

#include <atomic>
#include <cstdint>

namespace tidegate {

void CollectIngestMetrics(const std::string& pipeline,
                          const FoldLoopStats& stats,
                          const std::vector<DivertedCount>& diverted,
                          MetricSink* sink) {
  const MetricSink::Labels labels = {{"pipeline", pipeline}};
  const auto counter = [&](absl::string_view name, absl::string_view help,
                           const std::atomic<int64_t>& value) {
    sink->Counter(name, help, labels, static_cast<double>(value.load()));
  };
  const auto gauge = [&](absl::string_view name, absl::string_view help,
                         const std::atomic<int64_t>& value) {
    sink->Gauge(name, help, labels, static_cast<double>(value.load()));
  };
  counter("tidegate_records_total", "Kafka records consumed", stats.records);
  counter("tidegate_record_bytes_total", "Bytes of keys and values consumed",
          stats.bytes);
  counter("tidegate_output_errors_total",
          "Outputs that read NULL because their expression failed",
          stats.output_errors);
  counter("tidegate_bad_records_total", "Records that were not decodable",
          stats.bad_records);
  counter("tidegate_diverted_records_total",
          "Records that a view could not take", stats.diverted);
  counter("tidegate_late_table_rows_total",
          "Table rows too late for the version they belong to",
          stats.late_table_rows);
  gauge("tidegate_lag_records", "Records behind the ends last seen",
        stats.lag_records);
  gauge("tidegate_building",
        "1 while a build commits to checkpoints alone, for want of readers",
        stats.building);
  gauge("tidegate_reorder_buffered_events",
        "Events that wait for the watermark", stats.buffered_events);
  gauge("tidegate_reorder_buffered_bytes",
        "Memory of events that wait for the watermark", stats.buffered_bytes);
  gauge("tidegate_reorder_spilled_bytes",
        "Disk of events that wait for the watermark", stats.spilled_bytes);
  for (const DivertedCount& count : diverted) {
    sink->Counter("tidegate_diverted_total",
                  "Events that a view did not take, or not for all windows; "
                  "without a view: for all that read the source",
                  {{"pipeline", pipeline},
                   {"source", count.source},
                   {"view", count.view},
                   {"reason", std::string(DivertReasonName(count.reason))}},
                  static_cast<double>(count.events));
  }
}

}  // namespace tidegate
