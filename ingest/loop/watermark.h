// The watermark of a pipeline: the promise that no event below it is still to
// come, made from what each partition has shown. Pure.
//
// A value with explicit cases (DESIGN §4): a partition's watermark is its
// greatest event time less the source's bound; the pipeline's is the least of
// those of the partitions that are not idle. None as long as a partition has
// neither shown an event nor become idle. While all are idle it moves on with
// the clock, from the greatest of their watermarks: where it would stand had
// the others become idle a moment sooner. It never moves back.
#ifndef TIDEGATE_INGEST_LOOP_WATERMARK_H_
#define TIDEGATE_INGEST_LOOP_WATERMARK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

// Where a mutant steps in; the product uses the defaults. For tests that prove
// that the tests can fail.
struct WatermarkPolicy {
  bool take_greatest = false;    // the pipeline's is the greatest
  bool idle_by_silence = false;  // idle without an answering leader
  bool ignore_new_partitions = false;
  bool may_move_back = false;
};

// What is known of a partition at one look.
struct PartitionLook {
  bool took = false;             // a record was taken since the last look
  bool at_end = false;           // everything known has been taken
  bool answering = false;        // its leader is up and answers
  bool unread = false;           // left unread on purpose
  bool replaying = false;        // reads again what lies below next_offset
  bool awaiting_schema = false;  // its next record's schema is not here yet
};

// Runs on the fold thread.
class WatermarkTracker {
 public:
  // `restored` is what the last commit had.
  explicit WatermarkTracker(EventTime restored, WatermarkPolicy policy = {});

  struct SourceRules {
    int64_t bound_us = 0;
    int64_t idle_timeout_us = 0;
    bool idle_advance = true;
    int64_t max_future_skew_us = 0;
  };
  // Returns the partition's index. `max_event_time` is as of the last commit.
  size_t AddPartition(const SourceRules& rules, EventTime max_event_time);
  size_t partition_count() const { return partitions_.size(); }

  // True if an event of this time is too far ahead of the clock to be taken.
  bool IsFuture(size_t partition, EventTime time, ProcessingTime now) const;
  // An event was taken.
  void Observe(size_t partition, EventTime time);
  EventTime max_event_time(size_t partition) const;

  // Once a turn, for every partition, before Current().
  void Look(size_t partition, const PartitionLook& look, ProcessingTime now);
  // What the watermark may move to at `now`; at least watermark().
  // kNoEventTime while there is none. Changes nothing.
  EventTime Current(ProcessingTime now) const;
  // The watermark was committed.
  void Commit(EventTime watermark) { watermark_ = watermark; }
  EventTime watermark() const { return watermark_; }

  // The partition stands ahead of the pipeline's watermark: others are awaited.
  bool IsAhead(size_t partition) const;
  PartitionState State(size_t partition) const;
  EventTime partition_watermark(size_t partition) const;
  bool HoldsBack(size_t partition) const;

 private:
  struct Partition {
    SourceRules rules;
    EventTime max = kNoEventTime;
    PartitionLook look;
    // Since when it has been at its end with an answering leader.
    std::optional<ProcessingTime> quiet_since;
    bool idle = false;
  };
  EventTime Least() const;
  bool AllIdle() const;

  WatermarkPolicy policy_;
  std::vector<Partition> partitions_;
  EventTime watermark_;
  // All are idle since then; idle_from_ is what the watermark moves on from.
  std::optional<ProcessingTime> all_idle_since_;
  EventTime idle_from_ = kNoEventTime;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_WATERMARK_H_
