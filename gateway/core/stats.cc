#include "gateway/core/stats.h"

#include <algorithm>
#include <cstdlib>

namespace tidegate {
namespace {

template <typename Map>
auto& FindOrDie(Map& map, absl::string_view name) {
  const auto at = map.find(name);
  if (at == map.end()) std::abort();
  return *at->second;
}

}  // namespace

void LatencyHistogram::Observe(int64_t micros) {
  micros = std::max<int64_t>(micros, 0);  // clocks of two machines may disagree
  const double ms = static_cast<double>(micros) / 1000;
  const size_t i = std::lower_bound(kBoundsMs.begin(), kBoundsMs.end(), ms) -
                   kBoundsMs.begin();
  buckets_[i].fetch_add(1, std::memory_order_relaxed);
  sum_micros_.fetch_add(static_cast<uint64_t>(micros),
                        std::memory_order_relaxed);
}

ViewStats& GatewayStats::view(absl::string_view name) {
  return FindOrDie(views_, name);
}

PipelineStats& GatewayStats::pipeline(absl::string_view name) {
  return FindOrDie(pipelines_, name);
}

}  // namespace tidegate
