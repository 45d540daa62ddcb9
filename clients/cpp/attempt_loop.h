// Private to clients/cpp: one stream after the other, until one ends for good.
#ifndef TIDEGATE_CLIENTS_CPP_ATTEMPT_LOOP_H_
#define TIDEGATE_CLIENTS_CPP_ATTEMPT_LOOP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <random>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "clients/cpp/channel.h"
#include "clients/cpp/connect_options.h"
#include "clients/cpp/event.h"

namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace tidegate::client {

// How one attempt ended.
struct Ending {
  bool done = false;      // for good, with `status`
  bool answered = false;  // at least one response came
  absl::Status status;    // unless done: the stream's
  // Of a drain: when to come back.
  std::optional<int64_t> retry_after_ms;
  int64_t retry_delay_ms = 0;  // of a refusal: not before; 0: it does not say
};

// Unless it is done, it ended with `status`.
void EndWith(const grpc::Status& status, Ending* ending);

// Thread-safe. Every attempt is made over a connection of its own: a channel
// that could not connect waits before it tries again, by a backoff of its own
// that knows nothing of ours.
class AttemptLoop {
 public:
  explicit AttemptLoop(const ConnectOptions& options);

  // One attempt: opens a stream with `context`, reads it to its end.
  using Attempt =
      absl::FunctionRef<Ending(const std::shared_ptr<grpc::Channel>& channel,
                               grpc::ClientContext* context)>;
  // Makes attempts until one is done or its failure permanent (its status),
  // too many have failed in a row (the last one's status), Stop() has come, or
  // `lost`, which is told of each failure by a kDisconnected event, returns
  // false (both: OK). Called once.
  absl::Status Run(Attempt attempt, absl::FunctionRef<bool(Event lost)> lost);
  void Stop();
  // Cuts the present stream, as a network would.
  void Disconnect();
  // On the thread of Run(): how long to wait after that many failures.
  int64_t NextBackoffMs(int failures);

 private:
  int64_t NextWaitMs(const Ending& ending, int failures);
  Ending Once(Attempt attempt);
  // False if Stop() came.
  bool SetContext(grpc::ClientContext* context);
  bool Wait(int64_t wait_ms);

  const ConnectOptions options_;
  Channels channels_;
  std::mt19937_64 random_;  // Run()'s thread

  Mutex mutex_;
  CondVar wake_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_ATTEMPT_LOOP_H_
