// Reads that wait for a pipeline's head to reach a position.
#ifndef TIDEGATE_GATEWAY_CORE_WAITING_READS_H_
#define TIDEGATE_GATEWAY_CORE_WAITING_READS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "base/ids.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

// Of the fan-out's thread.
class WaitingReads {
 public:
  using Done = std::function<void(absl::Status)>;
  explicit WaitingReads(size_t limit) : limit_(limit) {}

  // `done` is called at once if the head is there, or over the limit.
  void Add(const ServedPipeline* pipeline, Seq seq, ProcessingTime deadline,
           Done done);
  // Calls those whose position or deadline has come.
  void Turn(ProcessingTime now);
  void FailAll(const absl::Status& status);
  // The next deadline, or `never`.
  ProcessingTime next(ProcessingTime never) const;

 private:
  using Place = std::pair<Seq, uint64_t>;
  struct Read {
    ProcessingTime deadline;
    Done done;
  };
  using Reads = std::map<Place, Read>;
  void Finish(Reads* reads, Reads::iterator at, const absl::Status& status);

  const size_t limit_;
  size_t count_ = 0;
  uint64_t last_id_ = 0;
  std::map<const ServedPipeline*, Reads> reads_;
  std::set<std::pair<ProcessingTime, std::pair<const ServedPipeline*, Place>>>
      deadlines_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_WAITING_READS_H_
