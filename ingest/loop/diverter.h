// What becomes of records that no fold, or not every fold, could take: they are
// counted, logged at a bounded rate, and written to the source's dead-letter
// topic if it names one.
#ifndef TIDEGATE_INGEST_LOOP_DIVERTER_H_
#define TIDEGATE_INGEST_LOOP_DIVERTER_H_

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "ingest/loop/fold_loop.h"
#include "ingest/record.h"
#include "views/pipeline/pipeline.h"
#include "views/plan/plan.h"

namespace tidegate {

// Runs on the fold thread. A status other than OK is fatal to the pipeline.
class Diverter {
 public:
  // Borrows all three for as long as it lives.
  // `pipeline` names it in letters.
  Diverter(DeadLetterWriter* writer, const Clock* clock, FoldLoopStats* stats,
           std::string pipeline)
      : writer_(writer),
        clock_(clock),
        stats_(stats),
        pipeline_(std::move(pipeline)) {}

  // None of `views`, which are all of the pipeline's that read the source,
  // takes the record: it could not be read, or is from the future.
  absl::Status ForAll(const SourcePlan& source, const RawRecord& record,
                      const std::vector<std::string>& views,
                      DivertReason reason, const absl::Status& why,
                      EventTime watermark);
  // Some views did not take the record. One letter for each reason.
  absl::Status ForSome(const SourcePlan& source, const RawRecord& record,
                       const std::vector<Diverted>& diverted,
                       EventTime watermark);
  // True if the broker has every dead letter written so far. False if it is
  // away: to be asked again, before the commit that passes those records.
  absl::StatusOr<bool> Acknowledged(int timeout_ms);
  // By source, then view, then reason; from any thread.
  std::vector<DivertedCount> Counts() const;

 private:
  void LogRecord(absl::string_view message, const SourcePlan& source,
                 const RawRecord& record, absl::string_view error);
  void Count(const SourcePlan& source, const std::string& view,
             DivertReason reason);
  absl::Status Write(const SourcePlan& source, const RawRecord& record,
                     DivertReason reason, std::string detail,
                     EventTime watermark, std::vector<std::string> views,
                     std::string replay_views);

  static constexpr int kRecordLinesPerSecond = 5;
  static constexpr int kWaitLinesPerSecond = 1;

  DeadLetterWriter* const writer_;
  const Clock* const clock_;
  FoldLoopStats* const stats_;
  const std::string pipeline_;
  LogRateLimiter record_log_{kRecordLinesPerSecond};
  LogRateLimiter wait_log_{kWaitLinesPerSecond};
  bool pending_ = false;
  mutable Mutex mutex_;
  std::map<std::tuple<std::string, std::string, DivertReason>, int64_t> counts_
      ABSL_GUARDED_BY(mutex_);
};

// Adds to a counter that only this thread writes: no locked instruction.
void AddTo(std::atomic<int64_t>* counter, int64_t n);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_DIVERTER_H_
