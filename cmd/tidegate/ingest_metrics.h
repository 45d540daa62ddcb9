// What a fold loop counts, as metrics. Pure.
#ifndef TIDEGATE_CMD_TIDEGATE_INGEST_METRICS_H_
#define TIDEGATE_CMD_TIDEGATE_INGEST_METRICS_H_

#include <string>
#include <vector>

#include "gateway/http/metrics.h"
#include "ingest/loop/fold_loop.h"
#include "ingest/registry/schema_registry.h"

namespace tidegate {

void CollectIngestMetrics(const std::string& pipeline,
                          const FoldLoopStats& stats,
                          const std::vector<DivertedCount>& diverted,
                          MetricSink* sink);

void CollectRegistryMetrics(const std::vector<RegistryStatus>& registries,
                            MetricSink* sink);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_INGEST_METRICS_H_
