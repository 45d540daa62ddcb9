#include "tests/simulation/event_time_watermark_model.h"

#include <algorithm>
#include <utility>

namespace tidegate::simulation {

void WatermarkModel::Restart() {
  for (auto& [place, partition] : partitions_) {
    partition.started = false;
    partition.replaying = false;
    partition.saw = false;
    partition.quiet_since.reset();
    partition.idle = false;
  }
  rest_.reset();
}

void WatermarkModel::Start(int source, int partition, bool replaying) {
  if (!world_.HoldsWatermark(source)) return;
  Partition& started = partitions_[{source, partition}];
  started.started = true;
  started.replaying = replaying;
}

void WatermarkModel::CaughtUp(int source, int partition) {
  if (!world_.HoldsWatermark(source)) return;
  partitions_[{source, partition}].replaying = false;
}

void WatermarkModel::Saw(int source, int partition) {
  if (!world_.HoldsWatermark(source)) return;
  partitions_[{source, partition}].saw = true;
}

void WatermarkModel::Take(int source, int partition, int64_t time) {
  if (!world_.HoldsWatermark(source)) return;
  Partition& taken = partitions_[{source, partition}];
  taken.newest = std::max(taken.newest.value_or(time), time);
}

void WatermarkModel::LookAt(const Sight& sight, int64_t now_us) {
  if (!world_.HoldsWatermark(sight.source)) return;
  Partition& partition = partitions_[{sight.source, sight.partition}];
  if (std::exchange(partition.saw, false)) partition.quiet_since.reset();
  const bool quiet =
      sight.at_end && sight.answering && sight.wanted && !partition.replaying;
  if (!quiet) {
    partition.quiet_since.reset();
    partition.idle = false;
    return;
  }
  if (!partition.quiet_since.has_value()) partition.quiet_since = now_us;
  partition.idle =
      now_us - *partition.quiet_since >= Of(sight.source).idle_timeout_us;
}

bool WatermarkModel::AllIdle() const {
  bool any = false;
  for (const auto& [place, partition] : partitions_) {
    if (!partition.started) continue;
    any = true;
    if (!partition.idle) return false;
  }
  return any;
}

std::optional<int64_t> WatermarkModel::LeastActive() const {
  std::optional<int64_t> least;
  for (const auto& [place, partition] : partitions_) {
    if (!partition.started || partition.idle) continue;
    if (!partition.newest.has_value()) return std::nullopt;
    const int64_t own = *partition.newest - Of(place.first).bound_us;
    least = std::min(least.value_or(own), own);
  }
  return least;
}

void WatermarkModel::Rest(int64_t now_us) {
  std::optional<int64_t> from = watermark_;
  for (const auto& [place, partition] : partitions_) {
    if (!partition.started || !partition.newest.has_value()) continue;
    const int64_t own = *partition.newest - Of(place.first).bound_us;
    from = std::max(from.value_or(own), own);
  }
  rest_.emplace(now_us, from);
}

std::optional<int64_t> WatermarkModel::AllIdleNext(int64_t now_us) const {
  const auto [since, from] = *rest_;
  if (!from.has_value()) return std::nullopt;
  int64_t largest_bound = 0;
  for (const auto& [place, partition] : partitions_) {
    if (!partition.started) continue;
    if (!Of(place.first).idle_advance) return from;
    largest_bound = std::max(largest_bound, Of(place.first).bound_us);
  }
  return std::max(*from,
                  std::min(*from + (now_us - since), now_us - largest_bound));
}

std::optional<int64_t> WatermarkModel::Look(const std::vector<Sight>& sights,
                                            int64_t now_us) {
  for (const Sight& sight : sights) LookAt(sight, now_us);
  const bool all_idle = AllIdle();
  if (!all_idle) {
    rest_.reset();
  } else if (!rest_.has_value()) {
    Rest(now_us);
  }
  for (const auto& [place, partition] : partitions_) {
    if (partition.started && partition.replaying) return watermark_;
  }
  const std::optional<int64_t> next =
      all_idle ? AllIdleNext(now_us) : LeastActive();
  if (!next.has_value()) return watermark_;
  return std::max(watermark_.value_or(*next), *next);
}

}  // namespace tidegate::simulation
