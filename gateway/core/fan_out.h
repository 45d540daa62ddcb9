// Between the folds and any number of clients: finds whom a commit concerns,
// asks their streams for the next message, and hands it to their transports.
// Knows no gRPC and takes time as an argument.
#ifndef TIDEGATE_GATEWAY_CORE_FAN_OUT_H_
#define TIDEGATE_GATEWAY_CORE_FAN_OUT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "gateway/core/snapshot_feed.h"
#include "gateway/core/stats.h"
#include "gateway/core/stream.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

struct FanOutOptions {
  size_t max_streams = 20'000;           // Subscribe streams and sessions
  size_t max_watches = 1'000'000;        // of all sessions together
  size_t max_streams_per_peer = 20'000;  // of one client address
  size_t max_waiting_reads = 10'000;     // for min_position
  // Subscribers that are behind take turns: in one turn they together read
  // about this much of the log, so that Live ones do not wait for them.
  size_t catch_up_bytes_per_turn = 1u << 20;
  // A stream is handed on when it is this old, give or take a tenth; 0: never.
  int64_t max_stream_age_ms = 0;
  uint64_t seed = 0;  // of the jitter
  // Of several fan-outs of one hub, one counts the commits.
  bool counts_commits = true;
};

// So many messages are made in one turn, so that what else happens on the
// thread is not kept waiting, and the turn's time is the messages' time.
inline constexpr size_t kMessagesPerTurn = 64;
// A stream handed on for its age is told to wait no longer than this.
inline constexpr int64_t kMaxAgeRetryMs = 100;
inline constexpr ProcessingTime kNever{std::numeric_limits<int64_t>::max()};

// Runs on one thread, which alone calls it. Never blocks but for reading the
// store. Invariants: at most one write of a stream is under way; a commit costs
// what it changed and whom it concerns, not how many listen; memory per stream
// is constant.
class FanOut {
 public:
  // `work`'s on_ready is told of; without `run` every snapshot is read in its
  // stream's turn.
  static std::unique_ptr<FanOut> Create(const FanOutOptions& options,
                                        const ViewHub* hub, GatewayStats* stats,
                                        SnapshotWork work = {});
  virtual ~FanOut() = default;

  // Takes a stream over. `make` is given the registry and returns it.
  // ResourceExhausted over a limit, Unavailable while draining. The transport
  // must live until Gone() or until its Finish has been called.
  using MakeStream =
      std::function<absl::StatusOr<std::unique_ptr<Stream>>(WatchRegistry*)>;
  virtual absl::StatusOr<StreamId> Open(const MakeStream& make,
                                        Transport* transport,
                                        const std::string& peer,
                                        ProcessingTime now) = 0;
  // The stream of an id, or null: for what else its client sends (a Session's
  // requests); call Kick after it.
  virtual Stream* Find(StreamId id) = 0;
  virtual void Kick(StreamId id, ProcessingTime now) = 0;
  // Its last write has completed.
  virtual void Written(StreamId id, ProcessingTime now) = 0;
  // Finishes it with OK once it has nothing to say: the client has said that
  // nothing more comes from it.
  virtual void Close(StreamId id, ProcessingTime now) = 0;
  // The client has gone; Finish is not called any more.
  virtual void Gone(StreamId id) = 0;

  // Tells of new commits, of what is due, and of rows that have become ready;
  // lets some of those who are behind read on. Returns when to be called again
  // if nothing happens before: `now` if somebody is still to be served.
  virtual ProcessingTime Turn(ProcessingTime now) = 0;

  // Calls `done` once the store's head has reached `seq`: at once if it has,
  // else from a Turn; DeadlineExceeded at `deadline`, Unavailable when it
  // drains, ResourceExhausted over the limit.
  virtual void WaitFor(const ServedPipeline* pipeline, Seq seq,
                       ProcessingTime deadline,
                       std::function<void(absl::Status)> done) = 0;

  // Hands every stream on, evenly over `over_ms`: each gets its farewell when
  // it can (never in the middle of a range) and is then finished with
  // Unavailable. New streams are refused. Clients are told to come back after
  // `retry_after_ms`, give or take a half.
  virtual void BeginDrain(int64_t retry_after_ms, int64_t over_ms,
                          ProcessingTime now) = 0;
  virtual bool draining() const = 0;
  virtual size_t streams() const = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_FAN_OUT_H_
