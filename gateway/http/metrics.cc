#include "gateway/http/metrics.h"

#include <array>
#include <limits>
#include <map>
#include <sstream>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"
#include "prometheus/text_serializer.h"

namespace tidegate {
namespace {

constexpr double kMicrosPerSecond = 1e6;

// Builds metric families, in the order of their first use.
class FamilySink : public MetricSink {
 public:
  void Counter(absl::string_view name, absl::string_view help,
               const Labels& labels, double value) override {
    Add(name, help, prometheus::MetricType::Counter, labels).counter.value =
        value;
  }
  void Gauge(absl::string_view name, absl::string_view help,
             const Labels& labels, double value) override {
    Add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
  }
  void Histogram(absl::string_view name, absl::string_view help,
                 const Labels& labels,
                 const LatencyHistogram& histogram) override {
    prometheus::ClientMetric::Histogram& out =
        Add(name, help, prometheus::MetricType::Histogram, labels).histogram;
    const auto& bounds = LatencyHistogram::kBoundsMs;
    uint64_t count = 0;
    for (size_t i = 0; i <= bounds.size(); ++i) {
      count += histogram.bucket(i);
      const double bound = i < bounds.size()
                               ? bounds[i] / 1000
                               : std::numeric_limits<double>::infinity();
      out.bucket.push_back({count, bound});
    }
    out.sample_count = count;
    out.sample_sum =
        static_cast<double>(histogram.sum_micros()) / kMicrosPerSecond;
  }
  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  prometheus::ClientMetric& Add(absl::string_view name, absl::string_view help,
                                prometheus::MetricType type,
                                const Labels& labels) {
    const auto [at, is_new] =
        index_.try_emplace(std::string(name), families_.size());
    if (is_new) {
      families_.push_back({std::string(name), std::string(help), type, {}});
    }
    prometheus::ClientMetric& metric =
        families_[at->second].metric.emplace_back();
    for (const auto& [label, value] : labels) {
      metric.label.push_back({label, value});
    }
    return metric;
  }

  std::vector<prometheus::MetricFamily> families_;
  std::map<std::string, size_t> index_;
};

}  // namespace

// Joins our numbers to a registry, as prometheus-cpp has it.
class Metrics::Collector : public prometheus::Collectable {
 public:
  explicit Collector(const Metrics* metrics) : metrics_(metrics) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    FamilySink sink;
    metrics_->Collect(&sink);
    return sink.Take();
  }

 private:
  const Metrics* const metrics_;
};

Metrics::Metrics(const ViewHub* hub, GatewayStats* stats, const Clock* clock)
    : hub_(hub), stats_(stats), clock_(clock) {}

Metrics::~Metrics() = default;

void Metrics::AddSource(std::function<void(MetricSink*)> source) {
  MutexLock lock(&mutex_);
  sources_.push_back(std::move(source));
}

std::string Metrics::Text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, Collector(this).Collect());
  return out.str();
}

void Metrics::Collect(MetricSink* sink) const {
  CollectPipelines(sink);
  CollectViews(sink);
  sink->Counter("tidegate_reads_total", "Get and Scan calls.", {},
                static_cast<double>(stats_->reads));
  sink->Counter("tidegate_snapshot_rows_read_total",
                "Rows read for snapshots: once for all who arrive together.",
                {}, static_cast<double>(stats_->snapshot_rows_read));
  sink->Counter("tidegate_calls_rejected_total",
                "Calls refused because a limit was reached.", {},
                static_cast<double>(stats_->rejected));
  sink->Counter("tidegate_streams_drained_total",
                "Streams handed over before this server went away.", {},
                static_cast<double>(stats_->drained));
  sink->Counter("tidegate_streams_cut_total",
                "Streams that could not be handed over before the deadline.",
                {}, static_cast<double>(stats_->cut));
  sink->Gauge("tidegate_streams_behind",
              "Streams that wait for their turn to read on.", {},
              static_cast<double>(stats_->behind));
  sink->Gauge("tidegate_streams_awaiting_rows",
              "Streams that wait for the next rows of a snapshot.", {},
              static_cast<double>(stats_->awaiting));
  sink->Counter("tidegate_push_wake_ups_total",
                "Times that a commit or a worker woke a thread that pushes.",
                {}, static_cast<double>(stats_->wake_ups));
  std::vector<std::function<void(MetricSink*)>> sources;
  {
    MutexLock lock(&mutex_);
    sources = sources_;
  }
  for (const auto& source : sources) source(sink);
}

void Metrics::CollectPipelines(MetricSink* sink) const {
  for (ServedPipeline* pipeline : hub_->pipelines()) {
    const MaterializedStore& store = pipeline->store();
    const MetricSink::Labels labels = {{"pipeline", pipeline->name()}};
    const PipelineStats& stats = stats_->pipeline(pipeline->name());
    sink->Gauge("tidegate_pipeline_up",
                "1 while the pipeline folds and serves.", labels,
                pipeline->status().ok() ? 1 : 0);
    sink->Gauge("tidegate_head_seq", "Sequence of the newest commit.", labels,
                static_cast<double>(store.head().value()));
    sink->Gauge("tidegate_checkpoint_seq", "Sequence of the last checkpoint.",
                labels, static_cast<double>(store.checkpoint_seq().value()));
    sink->Gauge("tidegate_resumable_from_seq",
                "Oldest position that a resume token is good for.", labels,
                static_cast<double>(store.resumable_from().value()));
    sink->Gauge("tidegate_overlay_bytes",
                "Rows in memory since the last checkpoint.", labels,
                static_cast<double>(store.overlay_bytes()));
    sink->Gauge("tidegate_log_bytes", "Change log kept for resuming.", labels,
                static_cast<double>(store.log_bytes()));
    sink->Counter("tidegate_commits_total", "Commits since the start.", labels,
                  static_cast<double>(stats.commits));
    sink->Counter("tidegate_changes_total",
                  "Changes in commits since the start.", labels,
                  static_cast<double>(stats.changes));
    sink->Histogram("tidegate_produced_to_committed_seconds",
                    "From a commit's oldest Kafka timestamp to the commit.",
                    labels, stats.produced_to_committed);
    CollectWatermarks(*pipeline, sink);
  }
}

void Metrics::CollectWatermarks(const ServedPipeline& pipeline,
                                MetricSink* sink) const {
  static constexpr std::array<PartitionState, 7> kStates = {
      PartitionState::kActive,        PartitionState::kIdle,
      PartitionState::kNoEvents,      PartitionState::kError,
      PartitionState::kUnread,        PartitionState::kReplaying,
      PartitionState::kAwaitingSchema};
  const auto seconds = [](int64_t micros) {
    return static_cast<double>(micros) / kMicrosPerSecond;
  };
  const double now = seconds(clock_->Now().value());
  const EventTime watermark = pipeline.store().positions().watermark;
  if (watermark != kNoEventTime) {
    const MetricSink::Labels labels = {{"pipeline", pipeline.name()}};
    sink->Gauge("tidegate_watermark_seconds",
                "The watermark, in seconds since 1970.", labels,
                seconds(watermark.value()));
    sink->Gauge("tidegate_watermark_lag_seconds",
                "How far the watermark is behind the clock.", labels,
                now - seconds(watermark.value()));
  }
  for (const PartitionWatermark& partition : pipeline.watermarks()) {
    const MetricSink::Labels labels = {
        {"pipeline", pipeline.name()},
        {"topic", partition.topic},
        {"partition", std::to_string(partition.partition.value())}};
    if (partition.watermark != kNoEventTime) {
      sink->Gauge("tidegate_partition_watermark_lag_seconds",
                  "How far a partition's watermark is behind the clock.",
                  labels, now - seconds(partition.watermark.value()));
    }
    sink->Gauge("tidegate_partition_holds_watermark",
                "1 while the pipeline's watermark waits for the partition.",
                labels, partition.holds_back ? 1 : 0);
    for (const PartitionState state : kStates) {
      MetricSink::Labels with_state = labels;
      with_state.emplace_back("state", PartitionStateName(state));
      sink->Gauge("tidegate_partition_state",
                  "1 for the state that a partition is in.", with_state,
                  partition.state == state ? 1 : 0);
    }
  }
}

void Metrics::CollectViews(MetricSink* sink) const {
  static constexpr std::array<const char*, 3> kStates = {"live", "catching_up",
                                                         "blocked"};
  for (const ViewHub::View& view : hub_->views()) {
    const std::string& name = view.view->name;
    const MetricSink::Labels labels = {{"view", name}};
    const ViewStats& stats = stats_->view(name);
    sink->Gauge("tidegate_view_rows", "Rows, roughly.", labels,
                static_cast<double>(
                    view.pipeline->store().RowCountEstimate(view.view->id)));
    for (size_t i = 0; i < kStates.size(); ++i) {
      sink->Gauge("tidegate_subscribers", "Open subscriptions by state.",
                  {{"view", name}, {"state", kStates[i]}},
                  static_cast<double>(stats.subscribers[i]));
    }
    sink->Counter("tidegate_messages_sent_total", "Messages to subscribers.",
                  labels, static_cast<double>(stats.messages));
    sink->Counter("tidegate_sent_bytes_total",
                  "Bytes of messages to subscribers.", labels,
                  static_cast<double>(stats.bytes));
    sink->Counter("tidegate_updates_sent_total",
                  "Changes and snapshot rows to subscribers.", labels,
                  static_cast<double>(stats.updates));
    for (int cause = 1; cause < kResetCauses; ++cause) {
      sink->Counter(
          "tidegate_resets_total", "Resets by cause.",
          {{"view", name},
           {"cause",
            std::string(ResetCauseName(static_cast<ResetCause>(cause)))}},
          static_cast<double>(stats.resets[cause]));
    }
    sink->Histogram("tidegate_committed_to_sent_seconds",
                    "From a commit to its message, of live subscribers.",
                    labels, stats.committed_to_sent);
  }
}

}  // namespace tidegate
