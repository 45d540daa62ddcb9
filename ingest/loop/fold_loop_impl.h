// The fold loop's insides, shared by the files that implement it.
#ifndef TIDEGATE_INGEST_LOOP_FOLD_LOOP_IMPL_H_
#define TIDEGATE_INGEST_LOOP_FOLD_LOOP_IMPL_H_

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "ingest/loop/diverter.h"
#include "ingest/loop/event_reader.h"
#include "ingest/loop/event_time_state.h"
#include "ingest/loop/fold_loop.h"
#include "ingest/loop/progress.h"
#include "ingest/loop/waiting_records.h"

namespace tidegate {

class FoldLoopImpl final : public FoldLoop {
 public:
  FoldLoopImpl(Parts parts, FoldLoopOptions options)
      : parts_(std::move(parts)),
        options_(options),
        diverter_(parts_.dead_letters, parts_.clock, &stats_,
                  parts_.served == nullptr ? "" : parts_.served->name()) {
    options_.max_poll_records =
        std::clamp(options_.max_poll_records, 1, kMaxPollRecords);
  }

  absl::Status Init();
  absl::Status Start() override;
  absl::StatusOr<bool> Turn() override;
  absl::Status Run() override;
  void Stop() override;
  bool CaughtUp() const override { return caught_up_.load(); }
  const FoldLoopStats& stats() const override { return stats_; }
  std::vector<PartitionLag> Lag() const override { return progress_->Lag(); }
  std::vector<DivertedCount> DivertedEvents() const override {
    return diverter_.Counts();
  }

 private:
  struct Input {
    const SourcePlan* source = nullptr;
    std::unique_ptr<EventReader> reader;
    // Headers of records that wait are for columns and for dead letters.
    bool keeps_headers = false;
    int denials = 0;  // looks for partitions in a row that found no topic
  };
  // What became of reading a record.
  enum class Reading {
    kRead,     // it is event_
    kNotOurs,  // it was sent back for other pipelines
    kBad,      // why_bad_ says why
    kWaits,    // for its schema
  };
  bool stopping() const { return stop_.load(std::memory_order_relaxed); }
  // Returns early when Stop() is called.
  void WaitAtMost(int timeout_ms);
  std::string Rebuild() const;
  absl::Status Deleted(const absl::Status& why) const;
  void SetStatus(const absl::Status& status);

  absl::Status RunUntilStopped();
  absl::Status Fail(absl::Status status);
  absl::Status LookForPartitions(ProcessingTime now);
  absl::Status AddPartitions(int topic, bool* answered);
  absl::Status Take(const RawRecord& record);
  // False if it has to wait: then nothing has happened.
  absl::StatusOr<bool> TryTake(const RawRecord& record);
  // Tries again what waits, if there is news; how many records were taken.
  absl::StatusOr<int> RetryWaiting();
  absl::Status TakeNew(const RawRecord& record, Reading reading);
  absl::Status TakeReplayed(const RawRecord& record, Reading reading);
  absl::Status DivertBad(const RawRecord& record);
  absl::Status DivertVanished(const RawRecord& record);
  DivertReason ReasonOfBad() const;
  absl::StatusOr<bool> ReadTarget(const RawRecord& record);
  absl::StatusOr<Reading> ReadEvent(const RawRecord& record);
  absl::Status Release(const RawRecord& record);
  absl::Status Keep(const RawRecord& record);
  // Commits what was taken, all of it but what waits for the watermark.
  absl::Status CommitAll();
  absl::Status CommitUpTo(EventTime target);
  // The same in a build: does so only if enough is pending.
  absl::Status CommitBuild(EventTime target, ProcessingTime now);
  // Or while more waits than a poll brings.
  absl::Status CommitOrHold(EventTime target, ProcessingTime now);
  // Leaves what was taken for a later commit.
  absl::Status Hold();
  bool BuildCommitDue(EventTime target, ProcessingTime now) const;
  bool HoldIsOver(EventTime target, ProcessingTime now) const;
  bool EnoughIsPending(EventTime target) const;
  bool BuildEnds() const;
  bool ReachedEnds() const;
  absl::Status Commit(EventTime watermark);
  bool WatermarkDue(EventTime target, ProcessingTime now) const;
  void AfterPoll();
  bool TablesRead() const;
  void ShowTableProgress(ProcessingTime now);
  void Publish();
  void PublishEventTime(ProcessingTime now);

  const Parts parts_;
  FoldLoopOptions options_;
  std::atomic<bool> schemas_came_{false};  // since what waits was last tried
  std::vector<Input> inputs_;              // by topic number
  std::vector<bool> wanted_;               // by topic number
  WaitingRecords waiting_;
  std::unique_ptr<Progress> progress_;
  std::unique_ptr<EventTimeState> event_time_;
  FoldLoopStats stats_;
  Diverter diverter_;
  Event event_;
  ReplayTarget replay_;
  absl::Status why_bad_;   // of the record read last
  std::string waits_for_;  // what the last record to wait was told
  std::vector<Diverted> diverted_;
  absl::Status fatal_;
  bool tables_read_ = false;
  bool announced_ = false;       // the status is OK
  bool commit_pending_ = false;  // records were taken since the last commit
  bool advanced_ = false;        // and the watermark moved for the next one
  bool held_ = false;            // something is to be committed later
  bool poll_was_full_ = false;   // the last one: more was waiting
  // Since the last commit an event was diverted as being of the future.
  bool saw_future_ = false;
  int64_t held_records_ = 0;  // taken since the last commit
  // Dead letters could not be acknowledged within this batch.
  bool commit_deferred_ = false;
  // In this turn's poll: the clock is read once for all its records.
  std::optional<ProcessingTime> first_taken_at_;
  int64_t first_record_ms_ = 0;  // of the records since the last commit
  ProcessingTime next_metadata_;
  ProcessingTime next_report_;
  ProcessingTime next_status_;
  ProcessingTime next_watermark_;  // commit for its sake
  ProcessingTime next_build_commit_;
  std::optional<ProcessingTime> hold_until_;  // unless in a build
  ProcessingTime next_shown_;                 // partitions' watermarks

  std::atomic<bool> caught_up_{false};
  std::atomic<bool> stop_{false};
  Mutex stop_mutex_;
  CondVar stop_signal_;
};

inline ProcessingTime After(ProcessingTime now, int64_t ms) {
  return ProcessingTime(now.value() + ms * 1000);
}

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_FOLD_LOOP_IMPL_H_
