#include "ingest/loop/watermark.h"

#include <algorithm>

namespace tidegate {
namespace {

// Event times far from the ends of their range stay clear of overflow.
EventTime Minus(EventTime time, int64_t us) {
  if (time.value() < kNoEventTime.value() + us) return kNoEventTime;
  return EventTime(time.value() - us);
}

}  // namespace

WatermarkTracker::WatermarkTracker(EventTime restored, WatermarkPolicy policy)
    : policy_(policy), watermark_(restored) {}

size_t WatermarkTracker::AddPartition(const SourceRules& rules,
                                      EventTime max_event_time) {
  Partition added;
  added.rules = rules;
  added.max = max_event_time;
  partitions_.push_back(added);
  return partitions_.size() - 1;
}

bool WatermarkTracker::IsFuture(size_t partition, EventTime time,
                                ProcessingTime now) const {
  const int64_t skew_us = partitions_[partition].rules.max_future_skew_us;
  return Minus(time, skew_us).value() > now.value();
}

void WatermarkTracker::Observe(size_t partition, EventTime time) {
  EventTime& max = partitions_[partition].max;
  max = std::max(max, time);
}

EventTime WatermarkTracker::max_event_time(size_t partition) const {
  return partitions_[partition].max;
}

EventTime WatermarkTracker::partition_watermark(size_t partition) const {
  const Partition& p = partitions_[partition];
  return p.max == kNoEventTime ? kNoEventTime : Minus(p.max, p.rules.bound_us);
}

void WatermarkTracker::Look(size_t partition, const PartitionLook& look,
                            ProcessingTime now) {
  Partition& p = partitions_[partition];
  const bool answering = look.answering || policy_.idle_by_silence;
  const bool quiet = look.at_end && answering && !look.unread &&
                     !look.replaying && !look.awaiting_schema;
  if (look.took) p.quiet_since.reset();
  p.look = look;
  if (!quiet) {
    p.quiet_since.reset();
  } else if (!p.quiet_since.has_value()) {
    p.quiet_since = now;
  }
  p.idle =
      quiet && now.value() - p.quiet_since->value() >= p.rules.idle_timeout_us;
  if (!AllIdle()) {
    all_idle_since_.reset();
  } else if (!all_idle_since_.has_value()) {
    all_idle_since_ = now;
    idle_from_ = watermark_;
    for (size_t i = 0; i < partitions_.size(); ++i) {
      idle_from_ = std::max(idle_from_, partition_watermark(i));
    }
  }
}

bool WatermarkTracker::AllIdle() const {
  return !partitions_.empty() &&
         std::all_of(partitions_.begin(), partitions_.end(),
                     [](const Partition& p) { return p.idle; });
}

EventTime WatermarkTracker::Least() const {
  EventTime least = kNeverEventTime;
  EventTime greatest = kNoEventTime;
  for (size_t i = 0; i < partitions_.size(); ++i) {
    if (partitions_[i].idle) continue;
    const EventTime own = partition_watermark(i);
    if (policy_.ignore_new_partitions && own == kNoEventTime) continue;
    least = std::min(least, own);
    greatest = std::max(greatest, own);
  }
  if (least == kNeverEventTime) return kNoEventTime;
  return policy_.take_greatest ? greatest : least;
}

EventTime WatermarkTracker::Current(ProcessingTime now) const {
  // What waits was buffered under the present watermark: all of it must have
  // been read again before anything is released.
  for (const Partition& p : partitions_) {
    if (p.look.replaying) return watermark_;
  }
  if (!all_idle_since_.has_value()) {
    return policy_.may_move_back ? Least() : std::max(watermark_, Least());
  }
  // None has shown an event: there is nothing to move on from.
  if (idle_from_ == kNoEventTime) return watermark_;
  int64_t bound_us = 0;
  for (const Partition& p : partitions_) {
    if (!p.rules.idle_advance) return std::max(watermark_, idle_from_);
    bound_us = std::max(bound_us, p.rules.bound_us);
  }
  const int64_t moved =
      idle_from_.value() + (now.value() - all_idle_since_->value());
  const EventTime limit(now.value() - bound_us);
  return std::max({watermark_, idle_from_, std::min(EventTime(moved), limit)});
}

bool WatermarkTracker::IsAhead(size_t partition) const {
  if (partitions_[partition].max == kNoEventTime) return false;
  const EventTime least = Least();
  return least != kNeverEventTime && partition_watermark(partition) > least;
}

PartitionState WatermarkTracker::State(size_t partition) const {
  const Partition& p = partitions_[partition];
  if (p.look.awaiting_schema) return PartitionState::kAwaitingSchema;
  if (p.look.replaying) return PartitionState::kReplaying;
  if (p.look.unread) return PartitionState::kUnread;
  if (!p.look.answering) return PartitionState::kError;
  if (p.idle) return PartitionState::kIdle;
  return p.max == kNoEventTime ? PartitionState::kNoEvents
                               : PartitionState::kActive;
}

bool WatermarkTracker::HoldsBack(size_t partition) const {
  const Partition& p = partitions_[partition];
  if (p.look.replaying) return true;
  return !p.idle && partition_watermark(partition) == Least();
}

}  // namespace tidegate
