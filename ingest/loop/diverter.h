// What becomes of records that no fold, or not every fold, could take: they are
// counted, logged at a bounded rate, and written to the source's dead-letter
// topic if it names one.
#ifndef TIDEGATE_INGEST_LOOP_DIVERTER_H_
#define TIDEGATE_INGEST_LOOP_DIVERTER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "ingest/loop/fold_loop.h"
#include "ingest/record.h"
#include "views/pipeline/pipeline.h"
#include "views/plan/plan.h"

namespace tidegate {

// Runs on the fold thread. A status other than OK is fatal to the pipeline.
class Diverter {
 public:
  // Borrows all three for as long as it lives.
  Diverter(DeadLetterWriter* writer, const Clock* clock, FoldLoopStats* stats)
      : writer_(writer), clock_(clock), stats_(stats) {}

  // The record could not be read, `why` says what was found.
  absl::Status Undecodable(const SourcePlan& source, const RawRecord& record,
                           const absl::Status& why);
  // Some views' expressions could not take the record.
  absl::Status FailedExpressions(const SourcePlan& source,
                                 const RawRecord& record,
                                 const std::vector<Diverted>& diverted);
  // True if the broker has every dead letter written so far. False if it is
  // away: to be asked again, before the commit that passes those records.
  absl::StatusOr<bool> Acknowledged(int timeout_ms);

 private:
  void LogRecord(absl::string_view message, const SourcePlan& source,
                 const RawRecord& record, absl::string_view error);
  absl::Status Write(const SourcePlan& source, const RawRecord& record,
                     std::string reason, std::string detail,
                     std::vector<std::string> views);

  static constexpr int kRecordLinesPerSecond = 5;
  static constexpr int kWaitLinesPerSecond = 1;

  DeadLetterWriter* const writer_;
  const Clock* const clock_;
  FoldLoopStats* const stats_;
  LogRateLimiter record_log_{kRecordLinesPerSecond};
  LogRateLimiter wait_log_{kWaitLinesPerSecond};
  bool pending_ = false;
};

// Adds to a counter that only this thread writes: no locked instruction.
void AddTo(std::atomic<int64_t>* counter, int64_t n);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_DIVERTER_H_
