// One subscriber's stream as a state machine: what to send next. DESIGN §6, §7.
#ifndef TIDEGATE_GATEWAY_CORE_SUBSCRIPTION_H_
#define TIDEGATE_GATEWAY_CORE_SUBSCRIPTION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "gateway/core/delta_range.h"
#include "gateway/core/finality.h"
#include "gateway/core/message.h"
#include "gateway/core/range_cache.h"
#include "gateway/core/response.h"
#include "gateway/core/resume_token.h"
#include "gateway/core/snapshot_reader.h"
#include "views/fold/row_codec.h"
#include "views/store/materialized_store.h"

namespace tidegate {

// A message ends after the row that takes it past this.
inline constexpr size_t kMaxMessageBytes = 64u << 10;
// A range takes no further commit once its changes, one a key, reach this; it
// may end at twice as much. More of them in a range means more conflation for
// the slow, and more fragments, each of which reads the range again.
inline constexpr size_t kRangeTargetBytes = 128u << 10;
// How much of the log one call of Next looks at, and in what steps.
inline constexpr size_t kMaxScanBytes = 512u << 10;
inline constexpr size_t kReadBytes = 256u << 10;
// The same limits for those who have a min_interval: they hear of all that it
// brought at once.
inline constexpr size_t kPatientRangeBytes = 1u << 20;
inline constexpr size_t kPatientScanBytes = 4u << 20;
// Who has keys and is further behind than this, and than so many commits a key,
// reads the present rows instead of the log.
inline constexpr uint64_t kStateCatchUpCommits = 256;
inline constexpr uint64_t kStateCatchUpCommitsPerKey = 4;
inline constexpr size_t kStateCatchUpKeys = 1024;  // at most
// Rows are read from one view for at most this long, so that no reader keeps
// old files or overlay runs alive; then the snapshot goes on at a newer one.
inline constexpr int64_t kMaxSnapshotViewMs = 30'000;
inline constexpr int64_t kMaxHeadViewMs = 1'000;

inline constexpr int64_t kDefaultProgressMs = 1'000;
inline constexpr int64_t kMinProgressMs = 100;

enum class SubscriberState : uint8_t { kLive, kCatchingUp, kBlocked };

struct SubscriptionSpec {
  std::string view_name;
  uint64_t view_version = 1;
  const RowSchema* schema = nullptr;  // borrowed
  WindowEnd window;                   // what each row's finality is read from
  SubscriptionFilter filter;
  bool skip_snapshot = false;
  int64_t progress_interval_ms = kDefaultProgressMs;
  // At the head, ranges with changes and progress are at least so far apart.
  int64_t min_interval_ms = 0;
  RangeCache* ranges = nullptr;  // of the pipeline; may be null; outlives all
  // Of the pipeline; borrowed, and outlives the subscription. Null: it reads
  // all rows by itself.
  SnapshotFeeds* feeds = nullptr;
};

// A key that has joined a growing filter, or left it.
using KeyListener = std::function<void(absl::string_view key, bool joined)>;
struct WatchKeys;

// What the last message was, for metrics.
struct MessageInfo {
  size_t changes = 0;
  bool snapshot = false;
  bool progress = false;
  bool fragment = false;
  std::optional<ResetCause> reset;
  // The oldest commit of a delta's range; 0 in other messages.
  ProcessingTime oldest_commit;
  // The requests for keys that it completes the answer to.
  std::vector<uint64_t> keys_applied;
};

// Owns a position, never a queue: its memory does not grow with what it has
// still to send. Thread-compatible. Invariant: the ranges of its messages are
// contiguous from one reset or snapshot_end to the next reset.
class Subscription {
 public:
  // `token` may be empty. `store` must outlive the subscription.
  // InvalidArgument if the token is malformed or not this subscription's.
  static absl::StatusOr<std::unique_ptr<Subscription>> Create(
      SubscriptionSpec spec, MaterializedStore* store, absl::string_view token);
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  // Writes the next SubscribeResponse, serialized, and returns true; false if
  // there is nothing to say now, or nothing was found so far (behind()). Looks
  // at kMaxScanBytes of log or less, a commit larger than that aside. An error
  // ends the stream.
  absl::StatusOr<bool> Next(ProcessingTime now, Message* message);
  const MessageInfo& last_message() const { return info_; }

  // At the head, with nothing to say but progress: then it need not be asked
  // again before a commit concerns it, if SkipTo() tells it so.
  bool settled() const {
    return phase_ == Phase::kDeltas && at_head_ && !withheld_ &&
           !fragment_to_ && !keys_asked_;
  }
  // Has log left to read: Next may be called again at once, also if it returned
  // false.
  bool behind() const {
    return phase_ == Phase::kPatch || (phase_ == Phase::kDeltas && !at_head_);
  }
  // No commit after the last one it has read, up to `seq` with `watermark`,
  // changed a row of its filter. Requires settled().
  void SkipTo(Seq seq, EventTime watermark);
  Seq scanned() const { return scanned_; }
  const SubscriptionFilter& filter() const { return spec_.filter; }

  // Keys (memcomparable) come and go, if the filter is growing; else it is
  // InvalidArgument. First those go, then these come. The answer is told by
  // MessageInfo::keys_applied, of all requests in order, and does not wait for
  // min_interval: the range up to some position, together with an upsert for
  // each key that has come and has a row of the filter there, and a `deleted`
  // for each other. After it nothing is told of the keys that have gone.
  absl::Status ChangeKeys(uint64_t request, std::vector<std::string> add,
                          std::vector<std::string> remove);
  // Told, from within Next, when filter() changes, before it does.
  void SetKeyListener(KeyListener listener);
  // Those it has, and those to come.
  size_t key_count() const;

  // The transport has a message under way: do not call Next.
  void SetBlocked(bool blocked) { blocked_ = blocked; }
  SubscriberState state() const;
  // Where the client is, once it has read every message.
  Seq position() const { return announced_; }
  // Next may have something to say at this time even without a commit.
  ProcessingTime due() const;
  // Next has found that a snapshot's next rows, or a place in one, are still to
  // come: call it again once the feeds say that something is ready.
  bool awaits_rows() const { return reader_.awaits(); }

  // Fragments of a range have been sent, and the last is still to come: no
  // message of Drain before that.
  bool mid_range() const {
    return phase_ == Phase::kDeltas && (fragment_to_.has_value() || answering_);
  }
  // The farewell: token and when to come back.
  void Drain(ProcessingTime now, int64_t retry_after_ms, Message* message);

 private:
  enum class Phase : uint8_t {
    kReset,     // tell the cause, then start the snapshot
    kSnapshot,  // rows
    kPatch,     // what changed meanwhile among the keys already sent
    kEnd,       // the end marker
    kResumed,   // tell a resuming client where it stands
    kDeltas,
  };

  Subscription(SubscriptionSpec spec, MaterializedStore* store);
  absl::Status Resume(const ResumeToken& token);
  void StartOver(ResetCause cause, std::string detail);
  void ForgetSnapshot();

  absl::StatusOr<bool> Step(ProcessingTime now, Message* message);
  // False if the rows have to be waited for.
  absl::StatusOr<bool> OpenRows(ProcessingTime now);
  absl::StatusOr<bool> NextRows(ProcessingTime now, Message* message);
  absl::StatusOr<bool> NextSharedRows(ProcessingTime now, Message* message);
  absl::StatusOr<bool> NextKeyedRows(ProcessingTime now, Message* message);
  void FinishRows(EventTime watermark, ProcessingTime now,
                  ResponseBuilder* builder);
  void EndRows();
  absl::StatusOr<bool> AddKeyedRow(ResponseBuilder* builder);
  absl::StatusOr<bool> NextPatch(ProcessingTime now, Message* message);
  void SendReset(ProcessingTime now, Message* message);
  void SendEnd(ProcessingTime now, Message* message);
  void AddProgress(ResponseBuilder* builder);
  absl::StatusOr<bool> NextDelta(ProcessingTime now, Message* message);
  absl::StatusOr<bool> NextRange(ProcessingTime now, Message* message);
  // While requests for keys wait.
  absl::StatusOr<bool> NextOfKeys(ProcessingTime now, Message* message);
  absl::StatusOr<bool> NextAnswer(ProcessingTime now, Message* message);
  absl::StatusOr<bool> BeginAnswer(ProcessingTime now,
                                   ResponseBuilder* builder);
  absl::StatusOr<bool> MoveAnswer(ResponseBuilder* builder);
  absl::Status AnswerKey(const std::string& key,
                         ResponseBuilder* builder) const;
  void EndAnswer(ProcessingTime now, ResponseBuilder* builder);
  void ForgetAnswer();
  void ClearAnswer();
  void TakeKeyRequests();
  void ChangeFilter(const std::vector<std::string>& joined,
                    const std::vector<std::string>& left);
  // By the present rows of the keys; false if they need several messages.
  absl::StatusOr<bool> NextState(ProcessingTime now, Message* message);
  absl::Status AddPresentRow(const ReadView& rows, const std::string& key,
                             ResponseBuilder* builder) const;
  // Completes the range up to `range.to`, whose changes the builder has, unless
  // it has none and no progress is due.
  bool EndRange(const EncodedRange& range, bool continued, ProcessingTime now,
                ResponseBuilder* builder);
  // What min_interval holds back.
  bool Withheld(ProcessingTime now) const;
  bool FarBehind() const;
  // The encoded range that others have read from here, if it is the one that
  // this would read now.
  const EncodedRange* KeptRange() const;
  ProcessingTime progress_due() const;

  struct ReadResult {
    Seq to;
    ProcessingTime oldest_commit;
    ProcessingTime newest_commit;
    EventTime watermark = kNoEventTime;
    bool log_end = false;
    bool full = false;  // a limit ended it, and not the end of the log
  };
  // Reads commits after `after`: all through *fragment_to_ if that is set, else
  // as many as the limits allow, none above `at_most`.
  absl::StatusOr<ReadResult> ReadRange(Seq after, Seq at_most,
                                       DeltaRange* range) const;
  // Appends the entries above fragment_key_ until the message is full, judged
  // by `watermark`, that of the range's end; true if entries are left, and then
  // fragment_key_ is the last one dealt with.
  absl::StatusOr<bool> AddChanges(DeltaRange* range, EventTime watermark,
                                  ResponseBuilder* builder);
  // What the commit `seq` had; kNoEventTime if it is gone.
  EventTime WatermarkAt(Seq seq) const;
  void Finish(ProcessingTime now, ResponseBuilder* builder);
  std::string Token() const;

  SubscriptionSpec spec_;  // but for the keys of a growing filter constant
  MaterializedStore* const store_;
  const std::string incarnation_;  // the store's present one
  const uint64_t view_hash_;
  const uint64_t filter_hash_;
  const uint64_t range_key_;  // in spec_.ranges

  Phase phase_ = Phase::kSnapshot;
  bool blocked_ = false;
  bool at_head_ = false;
  bool withheld_ = false;         // until min_interval has passed
  bool state_too_large_ = false;  // for NextState, until it is at the head
  bool first_response_ = true;
  ProcessingTime last_sent_;
  MessageInfo info_;
  std::optional<ResetCause> reset_;
  std::string reset_detail_;

  // The snapshot. Rows up to last_key_ have been sent, as of positions from
  // oldest_ (unset before the first row) to target_.
  std::optional<Seq> oldest_;
  Seq target_;
  std::string last_key_;
  bool all_sent_ = false;
  std::unique_ptr<LogPin> pin_;           // declared first: released last
  SnapshotReader reader_;                 // of all rows
  std::shared_ptr<const ReadView> rows_;  // of keys
  ProcessingTime rows_opened_;

  // Deltas. The client is at announced_; nothing in (announced_, scanned_]
  // concerns it. With fragment_to_ set, the changes of (scanned_,
  // *fragment_to_] up to fragment_key_ have been sent; in a patch those of
  // (*oldest_, *fragment_to_].
  Seq announced_;
  Seq scanned_;
  // The greatest that the client has been sent, or is sent next.
  EventTime watermark_ = kNoEventTime;
  std::optional<Seq> fragment_to_;
  std::optional<std::string> fragment_key_;

  std::unique_ptr<WatchKeys> keys_;  // of a growing filter
  bool keys_asked_ = false;  // requests wait, or their answer is under way
  bool answering_ = false;   // the next message goes on with the answer
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SUBSCRIPTION_H_
