// Everything /metrics shows, collected when it is asked for.
#ifndef TIDEGATE_GATEWAY_HTTP_METRICS_H_
#define TIDEGATE_GATEWAY_HTTP_METRICS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "gateway/core/stats.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

// Takes the values of one scrape. Runs on the scraping thread.
class MetricSink {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;
  virtual ~MetricSink() = default;
  // `name` ends in its unit (_seconds, _bytes), a counter's in _total besides.
  // `help` counts at a name's first use in a scrape.
  virtual void Counter(absl::string_view name, absl::string_view help,
                       const Labels& labels, double value) = 0;
  virtual void Gauge(absl::string_view name, absl::string_view help,
                     const Labels& labels, double value) = 0;
  virtual void Histogram(absl::string_view name, absl::string_view help,
                         const Labels& labels,
                         const LatencyHistogram& histogram) = 0;
};

// Thread-safe. Borrows hub, stats and clock.
class Metrics {
 public:
  Metrics(const ViewHub* hub, GatewayStats* stats, const Clock* clock);
  ~Metrics();

  // Called at every scrape, e.g. for what ingest counts. Must not block.
  void AddSource(std::function<void(MetricSink*)> source);
  // Prometheus' text format.
  std::string Text() const;

 private:
  class Collector;
  void CollectPipelines(MetricSink* sink) const;
  void CollectWatermarks(const ServedPipeline& pipeline,
                         MetricSink* sink) const;
  void CollectViews(MetricSink* sink) const;
  void Collect(MetricSink* sink) const;

  const ViewHub* const hub_;
  GatewayStats* const stats_;
  const Clock* const clock_;
  mutable Mutex mutex_;
  std::vector<std::function<void(MetricSink*)>> sources_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_HTTP_METRICS_H_
