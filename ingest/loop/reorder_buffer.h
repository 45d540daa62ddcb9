// Records that wait for the watermark, and leave in (event time, partition,
// offset) order over all sources of a pipeline. In memory up to a limit, beyond
// it in sorted runs on disk. Not durable: after a restart they are read again.
#ifndef TIDEGATE_INGEST_LOOP_REORDER_BUFFER_H_
#define TIDEGATE_INGEST_LOOP_REORDER_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/ids.h"
#include "ingest/loop/spill_files.h"
#include "ingest/record.h"
#include "views/fold/event.h"

namespace tidegate {

// Runs on disk at one time; one more is refused with RESOURCE_EXHAUSTED.
inline constexpr size_t kMaxSpillRuns = 1024;

// Runs on the fold thread.
class ReorderBuffer {
 public:
  // `spill` must outlive the buffer; null: nothing is spilled, Add is refused
  // with RESOURCE_EXHAUSTED beyond the limit.
  ReorderBuffer(size_t max_bytes, SpillFiles* spill);
  ~ReorderBuffer();

  // Copies the record. `input` orders ties after partition and offset.
  absl::Status Add(const RawRecord& record, EventTime time);
  // The time of the first record; kNeverEventTime if there is none.
  EventTime first_time() const;
  // Hands over the first record and removes it; the record borrows for the
  // call. Requires that there is one.
  absl::Status Pop(
      absl::FunctionRef<absl::Status(const RawRecord&, EventTime)> sink);

  // The least offset that waits, of a partition from which every record below
  // `watermark` has left; `none` if none does. May be less by up to
  // kBlockRecords records that have left: what is read again is judged again.
  Offset LeastOffset(int topic, PartitionId partition, EventTime watermark,
                     Offset none);
  static constexpr size_t kBlockRecords = 64;

  // Nothing should be read that need not come now. From half of the limit on,
  // so that what a poll brings yet is not spilled.
  bool full() const { return memory_bytes_ + spilled_bytes_ >= max_bytes_ / 2; }
  size_t size() const { return size_; }
  size_t memory_bytes() const { return memory_bytes_; }
  size_t spilled_bytes() const { return spilled_bytes_; }
  size_t runs() const { return runs_.size(); }

 private:
  struct Entry;
  class Run;
  // Records that came one after another from one partition.
  struct Block {
    Offset first;
    EventTime latest;
    size_t records = 0;
  };
  absl::Status Spill();
  void Note(int topic, PartitionId partition, Offset offset, EventTime time);
  absl::Status PopFromRun(
      absl::FunctionRef<absl::Status(const RawRecord&, EventTime)> sink);

  const size_t max_bytes_;
  SpillFiles* const spill_;
  size_t size_ = 0;
  size_t memory_bytes_ = 0;
  size_t spilled_bytes_ = 0;
  std::vector<Entry> heap_;                 // the least in front
  std::vector<std::unique_ptr<Run>> runs_;  // the one with the least in front
  std::map<std::pair<int, PartitionId>, std::deque<Block>> blocks_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_REORDER_BUFFER_H_
