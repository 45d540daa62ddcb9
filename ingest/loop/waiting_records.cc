#include "ingest/loop/waiting_records.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {

size_t WaitingRecords::partitions() const {
  return static_cast<size_t>(std::count_if(
      partitions_.begin(), partitions_.end(), [](const auto& partition) {
        return partition.second.taken < partition.second.copies.size();
      }));
}

bool WaitingRecords::Waits(int topic, PartitionId partition) const {
  if (records_ == 0) return false;
  const auto found = partitions_.find({topic, partition});
  return found != partitions_.end() &&
         found->second.taken < found->second.copies.size();
}

void WaitingRecords::Add(const RawRecord& record) {
  Copy& copy =
      partitions_[{record.topic, record.partition}].copies.emplace_back();
  copy.bytes = absl::StrCat(record.key, record.value, record.replay_views,
                            record.replay_origin);
  copy.record = record;
  absl::string_view rest = copy.bytes;
  for (absl::string_view* part :
       {&copy.record.key, &copy.record.value, &copy.record.replay_views,
        &copy.record.replay_origin}) {
    *part = rest.substr(0, part->size());
    rest.remove_prefix(part->size());
  }
  copy.headers = CopyOf(record.headers);
  copy.record.headers = ViewOf(copy.headers);
  ++records_;
}

absl::StatusOr<int> WaitingRecords::Retry(
    int max_records,
    absl::FunctionRef<absl::StatusOr<bool>(const RawRecord&)> take) {
  int taken = 0;
  unasked_ = false;
  for (auto& [where, partition] : partitions_) {
    while (partition.taken < partition.copies.size()) {
      if (taken == max_records) {
        unasked_ = true;
        return taken;
      }
      ASSIGN_OR_RETURN(const bool took,
                       take(partition.copies[partition.taken].record));
      if (!took) break;
      ++partition.taken;
      ++taken;
      --records_;
    }
  }
  return taken;
}

void WaitingRecords::Clear() {
  for (auto at = partitions_.begin(); at != partitions_.end();) {
    Partition& partition = at->second;
    for (; partition.taken > 0; --partition.taken) partition.copies.pop_front();
    at = partition.copies.empty() ? partitions_.erase(at) : std::next(at);
  }
}

}  // namespace tidegate
