#include "ingest/loop/event_time_state.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {

EventTimeState::EventTimeState(const PlanSet* plans, Pipeline* pipeline,
                               Progress* progress, SpillFiles* spill,
                               const FoldLoopOptions& options)
    : pipeline_(pipeline),
      progress_(progress),
      policy_(options.policy),
      tracker_(progress->positions().watermark, options.policy.watermark),
      buffer_(options.reorder_buffer_bytes, spill) {
  for (const Pipeline::Input& input : pipeline->inputs()) {
    inputs_.push_back(
        {&plans->sources[input.source], input.ordered, input.has_watermark});
  }
  by_topic_.resize(inputs_.size());
}

void EventTimeState::AddPartition(int topic, PartitionId partition) {
  const Input& input = inputs_[topic];
  const PartitionPosition& position = *progress_->position(topic, partition);
  Partition added;
  added.topic = topic;
  added.id = partition;
  added.diverted = position.diverted;
  if (input.has_watermark) {
    WatermarkTracker::SourceRules rules;
    rules.bound_us = input.source->watermark->bound_us;
    rules.idle_timeout_us = input.source->idle_timeout_ms * 1000;
    rules.idle_advance = input.source->idle_advance;
    rules.max_future_skew_us = input.source->max_future_skew_ms * 1000;
    added.tracked = tracker_.AddPartition(rules, position.max_event_time);
  }
  by_topic_[topic].push_back(partitions_.size());
  partitions_.push_back(std::move(added));
}

absl::StatusOr<bool> EventTimeState::DivertsAsFuture(const Event& event,
                                                     int topic,
                                                     ProcessingTime now) {
  const Input& input = inputs_[topic];
  if (!input.has_watermark || event.no_event_time) return false;
  const Partition& partition = At(topic, event.order.partition);
  if (!tracker_.IsFuture(partition.tracked, event.order.time, now)) {
    return false;
  }
  if (!Note(topic, event.order.partition, event.order.offset,
            kMaxDivertedRuns)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "too many future-dated records behind one that waits for the "
        "watermark: raise max.future.skew of the source, or let the "
        "watermark move: topic=",
        input.source->topic, " partition=", event.order.partition.value(),
        " runs=", partition.diverted.size()));
  }
  return true;
}

bool EventTimeState::Note(int topic, PartitionId partition, Offset offset,
                          size_t max_runs) {
  if (!inputs_[topic].ordered) return true;
  auto& runs = At(topic, partition).diverted;
  const auto after = std::upper_bound(
      runs.begin(), runs.end(), offset,
      [](Offset at, const auto& run) { return at < run.first; });
  if (after != runs.begin() && offset <= (after - 1)->second) {
    (after - 1)->second = std::max((after - 1)->second, offset.next());
    return true;
  }
  if (runs.size() >= max_runs) return false;
  runs.insert(after, {offset, offset.next()});
  return true;
}

bool EventTimeState::WasDiverted(int topic, PartitionId partition,
                                 Offset offset) const {
  if (policy_.decide_again) return false;
  const auto& runs = At(topic, partition).diverted;
  const auto after = std::upper_bound(
      runs.begin(), runs.end(), offset,
      [](Offset at, const auto& run) { return at < run.first; });
  return after != runs.begin() && offset < (after - 1)->second;
}

void EventTimeState::Observe(const Event& event, int topic) {
  if (!inputs_[topic].has_watermark || event.no_event_time) return;
  tracker_.Observe(At(topic, event.order.partition).tracked, event.order.time);
}

void EventTimeState::Saw(int topic, PartitionId partition) {
  At(topic, partition).took = true;
}

absl::StatusOr<bool> EventTimeState::Keep(const RawRecord& record,
                                          const Event& event) {
  if (!inputs_[record.topic].ordered || event.no_event_time ||
      event.order.time < watermark()) {
    return false;
  }
  RETURN_IF_ERROR(buffer_.Add(record, event.order.time));
  return true;
}

bool EventTimeState::MayRead(int topic, PartitionId partition) const {
  const Input& input = inputs_[topic];
  return !buffer_.full() || !input.ordered || !input.has_watermark ||
         !tracker_.IsAhead(At(topic, partition).tracked);
}

void EventTimeState::Look(const RecordReader& reader,
                          const std::vector<bool>& wanted, ProcessingTime now) {
  // Before the first is looked at: that may change who is ahead.
  for (Partition& partition : partitions_) {
    partition.unread =
        !wanted[partition.topic] || !MayRead(partition.topic, partition.id);
  }
  for (Partition& partition : partitions_) {
    const int topic = partition.topic;
    if (!inputs_[topic].has_watermark) continue;
    PartitionLook look;
    look.took = std::exchange(partition.took, false);
    look.at_end = progress_->AtEnd(topic, partition.id, reader);
    look.answering = reader.Answering(topic, partition.id);
    look.unread = partition.unread;
    look.replaying = progress_->Replaying(topic, partition.id, reader);
    look.awaiting_schema = progress_->Waits(topic, partition.id);
    tracker_.Look(partition.tracked, look, now);
  }
}

bool EventTimeState::ChangesRows(EventTime target) const {
  return pipeline_->next_timer() <= target || buffer_.first_time() < target;
}

absl::Status EventTimeState::AdvanceTowards(
    EventTime target, absl::FunctionRef<absl::Status(const RawRecord&)> sink) {
  if (policy_.advance_first && target > watermark()) {
    RETURN_IF_ERROR(pipeline_->Advance(target));
  }
  EventTime reached = target;
  EventTime last = kNoEventTime;
  const auto release = [&](const RawRecord& record, EventTime) {
    return sink(record);
  };
  while (buffer_.first_time() < target ||
         (policy_.release_inclusive && buffer_.first_time() == target)) {
    const EventTime time = buffer_.first_time();
    // All of one time leave together: the watermark lies between times.
    if (time != last && last != kNoEventTime && pipeline_->CommitDue()) {
      reached = time;
      break;
    }
    last = time;
    RETURN_IF_ERROR(buffer_.Pop(release));
  }
  if (reached <= watermark() && !policy_.watermark.may_move_back) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(pipeline_->Advance(reached));
  tracker_.Commit(reached);
  progress_->set_watermark(reached);
  return absl::OkStatus();
}

void EventTimeState::Settle() {
  for (Partition& partition : partitions_) {
    PartitionPosition* const position =
        progress_->position(partition.topic, partition.id);
    const Input& input = inputs_[partition.topic];
    if (input.has_watermark) {
      position->max_event_time = tracker_.max_event_time(partition.tracked);
    }
    if (!input.ordered) continue;
    position->replay_from =
        policy_.forget_replay_from
            ? position->next_offset
            : buffer_.LeastOffset(
                  partition.topic, partition.id, watermark(),
                  progress_->ReadThrough(partition.topic, partition.id));
    auto& runs = partition.diverted;
    const auto kept = std::find_if(
        runs.begin(), runs.end(),
        [&](const auto& run) { return run.second > position->replay_from; });
    runs.erase(runs.begin(), kept);
    position->diverted = runs;
    if (!position->diverted.empty()) {
      Offset& first = position->diverted.front().first;
      first = std::max(first, position->replay_from);
    }
  }
}

std::vector<PartitionWatermark> EventTimeState::Watermarks() const {
  std::vector<PartitionWatermark> watermarks;
  for (const Partition& partition : partitions_) {
    const Input& input = inputs_[partition.topic];
    if (!input.has_watermark) continue;
    PartitionWatermark shown;
    shown.topic = input.source->topic;
    shown.partition = partition.id;
    shown.watermark = tracker_.partition_watermark(partition.tracked);
    shown.state = tracker_.State(partition.tracked);
    shown.holds_back = tracker_.HoldsBack(partition.tracked);
    watermarks.push_back(std::move(shown));
  }
  std::sort(watermarks.begin(), watermarks.end(),
            [](const PartitionWatermark& a, const PartitionWatermark& b) {
              return std::tie(a.topic, a.partition) <
                     std::tie(b.topic, b.partition);
            });
  return watermarks;
}

}  // namespace tidegate
