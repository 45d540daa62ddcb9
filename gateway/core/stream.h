// What a client's stream is to the fan-out: a Subscribe stream has one watch, a
// Session any number.
#ifndef TIDEGATE_GATEWAY_CORE_STREAM_H_
#define TIDEGATE_GATEWAY_CORE_STREAM_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "gateway/core/message.h"
#include "gateway/core/stats.h"
#include "gateway/core/subscription.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

class Stream;

// A Subscription as the fan-out's index knows it. Of the fan-out's thread.
struct Watch {
  Stream* stream = nullptr;  // whose it is
  const ServedPipeline* pipeline = nullptr;
  ViewStats* stats = nullptr;
  std::unique_ptr<Subscription> subscription;
  // It had nothing to say, and no commit has concerned it since: what it has
  // not read up to the fan-out's last commit may be skipped.
  bool waiting = false;
  // In the list of those with something to say, of a Session.
  bool listed = false;
};

// Of the fan-out's thread.
class Stream {
 public:
  virtual ~Stream() = default;

  // The next message, or false if there is nothing to say now. Not called while
  // a write is under way. An error ends the stream with it.
  virtual absl::StatusOr<bool> Next(ProcessingTime now, Message* message) = 0;
  // A commit has changed a row of this watch, its progress is due, or its next
  // rows are there: Next is called soon.
  virtual void Woken(Watch* watch) = 0;
  // Next may have something to say at this time without a commit.
  virtual ProcessingTime due() const = 0;
  // Next cannot go on before a snapshot's next rows are there, or before it is
  // admitted to one.
  virtual bool awaits_rows() const = 0;
  // A write has begun or ended.
  virtual void SetBlocked(bool blocked) = 0;
  // In the middle of something that must end before the farewell.
  virtual bool mid_range() const = 0;
  // The farewell: token and when to come back.
  virtual void Drain(ProcessingTime now, int64_t retry_after_ms,
                     Message* message) = 0;
};

// The fan-out's index of watches, for streams whose watches come and go or
// change their keys. Of the fan-out's thread.
class WatchRegistry {
 public:
  virtual ~WatchRegistry() = default;
  // Each watch once; ResourceExhausted at the limit of watches.
  virtual absl::Status Add(Watch* watch) = 0;
  virtual void Remove(Watch* watch) = 0;
  // Keys of a watch in the registry that came or went (memcomparable).
  virtual void AddKey(Watch* watch, absl::string_view key) = 0;
  virtual void RemoveKey(Watch* watch, absl::string_view key) = 0;
};

// The way out to one client. Called on the fan-out's thread; never calls back
// within a call. The first transport is gRPC's completion queue.
class Transport {
 public:
  virtual ~Transport() = default;
  // One at a time: the fan-out is told when it is written (FanOut::Written).
  virtual void Write(Message message) = 0;
  // The last call. Clients see the status, with a retry delay unless negative.
  virtual void Finish(const absl::Status& status, int64_t retry_after_ms) = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_STREAM_H_
