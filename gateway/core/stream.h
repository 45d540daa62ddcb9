// What a client's stream is to the fan-out: a Subscribe stream has one watch, a
// Session any number.
#ifndef TIDEGATE_GATEWAY_CORE_STREAM_H_
#define TIDEGATE_GATEWAY_CORE_STREAM_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "gateway/core/message.h"
#include "gateway/core/range_cache.h"
#include "gateway/core/stats.h"
#include "gateway/core/subscription.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

class Stream;
using StreamId = uint64_t;  // 0: none

// A Subscription as the fan-out's index knows it. Of the fan-out's thread.
struct Watch {
  Stream* stream = nullptr;  // whose it is
  uint32_t id = 0;           // in its session
  const ServedPipeline* pipeline = nullptr;
  ViewStats* stats = nullptr;
  std::unique_ptr<Subscription> subscription;
  // It had nothing to say, and no commit has concerned it since: what it has
  // not read up to the fan-out's last commit may be skipped.
  bool waiting = false;
  // In the list of those with something to say, of a Session.
  bool listed = false;
  // Its pipeline has stopped: once it has said everything, nothing more comes.
  bool stopped = false;
};

// Of the fan-out's thread.
class Stream {
 public:
  virtual ~Stream() = default;

  // The next message, or false if there is nothing to say now. Not called while
  // a write is under way. An error ends the stream with it.
  virtual absl::StatusOr<bool> Next(ProcessingTime now, Message* message) = 0;
  // A commit has changed a row of this watch, or its pipeline has stopped: Next
  // is called soon. When due() has come, or rows may be there, Next is called
  // without it.
  virtual void Woken(Watch* watch) = 0;
  // Next may have something to say at this time without a commit.
  virtual ProcessingTime due() const = 0;
  // Next cannot go on before a snapshot's next rows are there, or before it is
  // admitted to one.
  virtual bool awaits_rows() const = 0;
  // Next would read on in the log, or in a snapshot, far from its end: it takes
  // turns with others who are behind.
  virtual bool behind() const = 0;
  // A write has begun or ended.
  virtual void SetBlocked(bool blocked) = 0;
  // In the middle of something that must end before the farewell.
  virtual bool mid_range() const = 0;
  // The farewell: token and when to come back.
  virtual void Drain(ProcessingTime now, int64_t retry_after_ms,
                     Message* message) = 0;

  // Set by the fan-out.
  StreamId id() const { return id_; }
  void set_id(StreamId id) { id_ = id; }

 private:
  StreamId id_ = 0;
};

// The fan-out's index of watches, for streams whose watches come and go or
// change their keys. Of the fan-out's thread.
class WatchRegistry {
 public:
  virtual ~WatchRegistry() = default;
  // Each watch once; ResourceExhausted at the limit of watches.
  virtual absl::Status Add(Watch* watch) = 0;
  // With the filter that its subscription has then.
  virtual void Remove(Watch* watch) = 0;
  // Tells a watch that waits that the commits told of so far do not concern it:
  // call it before Subscription::Next, which then reads no log in vain.
  virtual void SkipIdle(Watch* watch) = 0;
  // What its subscribers share; lives as long as the registry.
  virtual RangeCache* ranges(const ServedPipeline* pipeline) = 0;
  // Null: each reads its snapshot by itself.
  virtual SnapshotFeeds* feeds(const ServedPipeline* pipeline) = 0;
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
