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
  gauge("tidegate_awaiting_schema_records",
        "Records read and not folded, as a schema has not come",
        stats.awaiting_schema_records);
  gauge("tidegate_awaiting_schema_partitions",
        "Partitions that wait for the schema of their next record",
        stats.awaiting_schema_partitions);
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

void CollectRegistryMetrics(const std::vector<RegistryStatus>& registries,
                            MetricSink* sink) {
  for (const RegistryStatus& registry : registries) {
    const MetricSink::Labels labels = {{"registry", registry.url}};
    for (int i = 0; i < kRegistryOutcomes; ++i) {
      MetricSink::Labels with_outcome = labels;
      with_outcome.emplace_back(
          "outcome",
          std::string(RegistryOutcomeName(static_cast<RegistryOutcome>(i))));
      sink->Counter("tidegate_schema_registry_requests_total",
                    "Requests to the schema registry, by how they ended",
                    with_outcome, static_cast<double>(registry.requests[i]));
    }
    sink->Gauge("tidegate_schema_registry_up",
                "0 while the registry's last answer was none, or of no use",
                labels, registry.up ? 1 : 0);
    sink->Gauge("tidegate_schema_registry_schemas_cached",
                "Schemas known, and ids known to be none", labels,
                static_cast<double>(registry.cached));
    sink->Gauge("tidegate_schema_registry_schemas_awaited",
                "Schemas that are asked for", labels,
                static_cast<double>(registry.awaited));
    if (!registry.last_answer_age_ms.has_value()) continue;
    sink->Gauge("tidegate_schema_registry_last_answer_age_seconds",
                "Since the registry last answered; it is asked only for "
                "schemas that are not known",
                labels,
                static_cast<double>(*registry.last_answer_age_ms) / 1000);
  }
}

}  // namespace tidegate
