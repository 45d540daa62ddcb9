// Records of partitions that cannot go on yet: the first of each needs a schema
// that is not here.
#ifndef TIDEGATE_INGEST_LOOP_WAITING_RECORDS_H_
#define TIDEGATE_INGEST_LOOP_WAITING_RECORDS_H_

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "ingest/record.h"

namespace tidegate {

// Copies of records, in order by partition. Of a partition no more than one
// poll brings: while it waits, it is not read. Runs on the fold thread.
class WaitingRecords {
 public:
  bool empty() const { return records_ == 0; }
  size_t records() const { return records_; }
  // That wait.
  size_t partitions() const;
  bool Waits(int topic, PartitionId partition) const;

  // Copies a record, behind those of its partition.
  void Add(const RawRecord& record);

  // Hands each partition's records to `take`, in order, until it returns false
  // for one, which then goes on waiting with those behind it; at most
  // `max_records` in all. A record that was taken stays where it is until
  // Clear(). Returns how many were taken.
  absl::StatusOr<int> Retry(
      int max_records,
      absl::FunctionRef<absl::StatusOr<bool>(const RawRecord&)> take);
  // The last Retry() left records that nobody was asked for.
  bool unasked() const { return unasked_; }
  // Frees what was taken.
  void Clear();

 private:
  struct Copy {
    RawRecord record;  // borrows from the other two
    std::string bytes;
    RecordHeaders headers;
  };
  struct Partition {
    std::deque<Copy> copies;  // which do not move
    size_t taken = 0;         // of them, from the front
  };
  std::map<std::pair<int, PartitionId>, Partition> partitions_;
  size_t records_ = 0;
  bool unasked_ = false;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_WAITING_RECORDS_H_
