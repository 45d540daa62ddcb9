// How far a fold loop has read its topics: the positions it commits, and how
// far they are behind.
#ifndef TIDEGATE_INGEST_LOOP_PROGRESS_H_
#define TIDEGATE_INGEST_LOOP_PROGRESS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "ingest/loop/fold_loop.h"
#include "ingest/loop/waiting_records.h"
#include "ingest/record.h"

namespace tidegate {

// Runs on the fold thread, except Lag(). Costs per record two vector look-ups:
// only the last record of each partition is hashed, when it is settled.
class Progress {
 public:
  // `stored` are the positions to go on from; `topics` by topic number.
  // `waiting` is borrowed: read, and not taken.
  Progress(std::vector<std::string> topics, Positions stored,
           const WaitingRecords* waiting);

  // Adds the next partition of `topic` (they come from 0 upwards), read from
  // `from` on, which may lie below the stored next_offset. CaughtUp() waits for
  // `end`.
  void Add(int topic, PartitionId partition, Offset from, Offset end);
  int partition_count(int topic) const {
    return static_cast<int>(topics_[topic].size());
  }

  enum class Taken : uint8_t {
    kAgain,     // read before in this life: nothing is to be done
    kReplayed,  // read in an earlier life, for what waited in a buffer then
    kNew,
  };
  Taken Judge(const RawRecord& record) const;
  // Of a record that is not kAgain: its partition then stands behind it, and it
  // must stay where it is until Settle().
  void Take(const RawRecord& record);
  // Everything there is has been taken.
  bool AtEnd(int topic, PartitionId partition,
             const RecordReader& reader) const {
    return reader.AtEnd(topic, partition) && !Waits(topic, partition);
  }
  bool Waits(int topic, PartitionId partition) const {
    return waiting_.Waits(topic, partition);
  }
  // What an earlier life had read is still being read again.
  bool Replaying(int topic, PartitionId partition,
                 const RecordReader& reader) const;
  // Everything below has been read in this life or needs not be.
  Offset ReadThrough(int topic, PartitionId partition) const {
    const Partition& p = topics_[topic][partition.value()];
    return std::min(p.read, p.next);
  }
  // Puts what Take() saw into positions(), before the records go away.
  void Settle();
  // As of the last Settle().
  const Positions& positions() const { return positions_; }
  void set_tables_ready() { positions_.tables_ready = true; }
  void set_watermark(EventTime watermark) { positions_.watermark = watermark; }
  // The position of a partition that was added, for what event time has to say:
  // replay_from, max_event_time, diverted.
  PartitionPosition* position(int topic, PartitionId partition) {
    return topics_[topic][partition.value()].position;
  }

  // Everything below the ends given to Add() has been taken.
  bool ReachedEnds(int topic, const RecordReader& reader) const;
  // Records between where reading began and the ends given to Add(), and how
  // many of them have been taken.
  void Count(int topic, int64_t* taken, int64_t* total) const;

  // The broker says that the partition ends at `high`.
  void SawEnd(int topic, PartitionId partition, Offset high);
  // Renews what Lag() returns; the sum of it.
  int64_t UpdateLag(const RecordReader& reader);
  std::vector<PartitionLag> Lag() const;  // thread-safe

 private:
  struct Partition {
    PartitionPosition* position = nullptr;  // a node of positions_
    Offset first;                           // where reading began
    Offset read;                            // one past what this life has read
    Offset next;                            // one past what was ever read
    Offset end;                             // given to Add()
    Offset known_end;                       // the highest seen
    RawRecord last;                         // valid if unsettled
    bool unsettled = false;
    size_t lag_index = 0;
  };

  const std::vector<std::string> names_;
  const WaitingRecords& waiting_;
  Positions positions_;
  std::vector<std::vector<Partition>> topics_;
  std::vector<std::pair<int, int32_t>> unsettled_;
  mutable Mutex lag_mutex_;
  std::vector<PartitionLag> lag_ ABSL_GUARDED_BY(lag_mutex_);
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_PROGRESS_H_
