// What a fold loop knows of event time: the watermark, the records that wait
// for it, and what positions say of both.
#ifndef TIDEGATE_INGEST_LOOP_EVENT_TIME_STATE_H_
#define TIDEGATE_INGEST_LOOP_EVENT_TIME_STATE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/ids.h"
#include "ingest/loop/fold_loop.h"
#include "ingest/loop/progress.h"
#include "ingest/loop/reorder_buffer.h"
#include "ingest/loop/watermark.h"
#include "ingest/record.h"
#include "views/fold/event.h"
#include "views/pipeline/pipeline.h"
#include "views/plan/plan.h"

namespace tidegate {

// Runs of future-dated records that one partition's position may list. They
// pile up only behind a record that waits for the watermark.
inline constexpr size_t kMaxDivertedRuns = 1 << 16;
// Of bad ones are noted while there are fewer: they must not stop the pipeline,
// and every commit has the list.
inline constexpr size_t kMaxBadRuns = 1 << 12;

// Runs on the fold thread.
class EventTimeState {
 public:
  // Everything is borrowed.
  EventTimeState(const PlanSet* plans, Pipeline* pipeline, Progress* progress,
                 SpillFiles* spill, const FoldLoopOptions& options);

  // After Progress::Add of the same.
  void AddPartition(int topic, PartitionId partition);

  // A record that is taken for the first time in this life. True if its event
  // is too far ahead of the clock: then it is noted as diverted.
  absl::StatusOr<bool> DivertsAsFuture(const Event& event, int topic,
                                       ProcessingTime now);
  // Notes that a record is a bad one, for when it is read again after a restart
  // and would be judged otherwise. Not if there are too many.
  void NoteBad(int topic, PartitionId partition, Offset offset) {
    Note(topic, partition, offset, kMaxBadRuns);
  }
  // A verdict of an earlier life is noted.
  bool WasDiverted(int topic, PartitionId partition, Offset offset) const;
  // The event was folded on arrival: its time counts for the watermark.
  void Observe(const Event& event, int topic);
  // A record was taken, whatever became of it.
  void Saw(int topic, PartitionId partition);
  // Keeps the record if an ordered view will want it; then true.
  absl::StatusOr<bool> Keep(const RawRecord& record, const Event& event);

  // Whether a partition may be read as far as the reorder buffer goes.
  bool MayRead(int topic, PartitionId partition) const;
  // Once a turn, after the records were taken. `wanted`: by topic.
  void Look(const RecordReader& reader, const std::vector<bool>& wanted,
            ProcessingTime now);
  // What the watermark may move to.
  EventTime Target(ProcessingTime now) const { return tracker_.Current(now); }
  // A commit for its sake alone would change a row.
  bool ChangesRows(EventTime target) const;

  // Releases what lies below `target` to `sink`, in order, but no more than
  // fits into a commit; then moves the pipeline's and the positions' watermark
  // to what was reached.
  absl::Status AdvanceTowards(
      EventTime target, absl::FunctionRef<absl::Status(const RawRecord&)> sink);
  // Before a commit: brings the positions up to date.
  void Settle();

  EventTime watermark() const { return tracker_.watermark(); }
  const ReorderBuffer& buffer() const { return buffer_; }
  // By topic, then partition; partitions that bear on the watermark.
  std::vector<PartitionWatermark> Watermarks() const;

 private:
  struct Input {
    const SourcePlan* source = nullptr;
    bool ordered = false;
    bool has_watermark = false;
  };
  struct Partition {
    int topic = 0;
    PartitionId id;
    size_t tracked = 0;  // in tracker_, if the input has a watermark
    bool took = false;
    bool unread = false;  // scratch memory of Look
    std::vector<std::pair<Offset, Offset>> diverted;
  };
  // False if it would be one run too many.
  bool Note(int topic, PartitionId partition, Offset offset, size_t max_runs);
  Partition& At(int topic, PartitionId partition) {
    return partitions_[by_topic_[topic][partition.value()]];
  }
  const Partition& At(int topic, PartitionId partition) const {
    return partitions_[by_topic_[topic][partition.value()]];
  }
  Pipeline* const pipeline_;
  Progress* const progress_;
  const FoldLoopPolicy policy_;
  std::vector<Input> inputs_;  // by topic
  std::vector<Partition> partitions_;
  std::vector<std::vector<size_t>> by_topic_;  // in partitions_
  WatermarkTracker tracker_;
  ReorderBuffer buffer_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_EVENT_TIME_STATE_H_
