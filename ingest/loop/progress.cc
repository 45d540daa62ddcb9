#include "ingest/loop/progress.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tidegate {

Progress::Progress(std::vector<std::string> topics, Positions stored,
                   const WaitingRecords* waiting)
    : names_(std::move(topics)),
      waiting_(*waiting),
      positions_(std::move(stored)),
      topics_(names_.size()) {}

void Progress::Add(int topic, PartitionId partition, Offset from, Offset end) {
  Partition added;
  const auto [at, is_new] = positions_.partitions.try_emplace(
      {names_[topic], partition}, PartitionPosition());
  added.position = &at->second;
  // Below `from` there may be nothing left to read.
  added.next = is_new ? from : std::max(from, added.position->next_offset);
  added.position->next_offset = added.next;
  added.position->replay_from = from;
  added.first = from;
  added.read = from;
  added.end = end;
  added.known_end = end;
  MutexLock lock(&lag_mutex_);
  added.lag_index = lag_.size();
  lag_.push_back(
      PartitionLag{names_[topic], partition,
                   std::max<int64_t>(0, end.value() - added.next.value()),
                   added.position->last_timestamp_ms});
  topics_[topic].push_back(added);
}

Progress::Taken Progress::Judge(const RawRecord& record) const {
  const Partition& partition = topics_[record.topic][record.partition.value()];
  if (record.offset < partition.read) return Taken::kAgain;
  return record.offset < partition.next ? Taken::kReplayed : Taken::kNew;
}

void Progress::Take(const RawRecord& record) {
  Partition& partition = topics_[record.topic][record.partition.value()];
  partition.read = record.offset.next();
  if (record.offset < partition.next) return;
  partition.next = record.offset.next();
  partition.last = record;
  if (!partition.unsettled) {
    partition.unsettled = true;
    unsettled_.emplace_back(record.topic, record.partition.value());
  }
}

bool Progress::Replaying(int topic, PartitionId partition,
                         const RecordReader& reader) const {
  const Partition& p = topics_[topic][partition.value()];
  return p.read < p.next && !AtEnd(topic, partition, reader);
}

void Progress::Settle() {
  for (const auto& [topic, number] : unsettled_) {
    Partition& partition = topics_[topic][number];
    PartitionPosition* position = partition.position;
    position->next_offset = partition.next;
    position->replay_from = partition.next;
    position->last_offset = partition.last.offset;
    position->last_timestamp_ms = partition.last.timestamp_ms;
    position->last_hash = RecordHash(partition.last);
    partition.last = RawRecord();
    partition.unsettled = false;
  }
  unsettled_.clear();
}

bool Progress::ReachedEnds(int topic, const RecordReader& reader) const {
  for (size_t p = 0; p < topics_[topic].size(); ++p) {
    const Partition& partition = topics_[topic][p];
    // Offsets may end in a gap (compaction, a transaction's end mark).
    if (partition.next < partition.end &&
        !AtEnd(topic, PartitionId(static_cast<int32_t>(p)), reader)) {
      return false;
    }
  }
  return true;
}

void Progress::Count(int topic, int64_t* taken, int64_t* total) const {
  for (const Partition& partition : topics_[topic]) {
    const int64_t first = partition.first.value();
    const int64_t end = std::max(first, partition.end.value());
    *total += end - first;
    *taken += std::min(partition.read.value(), end) - first;
  }
}

void Progress::SawEnd(int topic, PartitionId partition, Offset high) {
  Offset& known = topics_[topic][partition.value()].known_end;
  known = std::max(known, high);
}

int64_t Progress::UpdateLag(const RecordReader& reader) {
  int64_t sum = 0;
  MutexLock lock(&lag_mutex_);
  for (size_t t = 0; t < topics_.size(); ++t) {
    for (size_t p = 0; p < topics_[t].size(); ++p) {
      const Partition& partition = topics_[t][p];
      PartitionLag& lag = lag_[partition.lag_index];
      const int64_t behind =
          partition.known_end.value() - partition.next.value();
      const PartitionId id(static_cast<int32_t>(p));
      lag.records =
          behind <= 0 || AtEnd(static_cast<int>(t), id, reader) ? 0 : behind;
      lag.last_timestamp_ms = partition.position->last_timestamp_ms;
      sum += lag.records;
    }
  }
  return sum;
}

std::vector<PartitionLag> Progress::Lag() const {
  MutexLock lock(&lag_mutex_);
  std::vector<PartitionLag> lag = lag_;
  std::sort(
      lag.begin(), lag.end(), [](const PartitionLag& a, const PartitionLag& b) {
        return std::tie(a.topic, a.partition) < std::tie(b.topic, b.partition);
      });
  return lag;
}

}  // namespace tidegate
