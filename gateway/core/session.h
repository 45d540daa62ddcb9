// Many watches on one stream: what a commit changed for all of them travels in
// one message. DESIGN §6, Session.
#ifndef TIDEGATE_GATEWAY_CORE_SESSION_H_
#define TIDEGATE_GATEWAY_CORE_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/core/stream.h"

namespace tidegate {

inline constexpr size_t kMaxWatchesPerSession = 1'000;
inline constexpr size_t kMaxKeysPerSession = 100'000;
// Requests that wait for their answer; the client's next ones stay unread.
inline constexpr size_t kMaxPendingSessionRequests = 64;

// A Stream whose messages are SessionResponses. Of the fan-out's thread. What a
// message costs depends on the watches that have something to say, and not on
// those there are. A message has one Update of each of these watches in turn
// until it has kMaxMessageBytes, of those that are behind one only; of one that
// this one brings to the head perhaps a second.
//
// Keys that are added are answered at one position of their watch, the next one
// at which it is Live: an upsert for each that has a row, `deleted` for each
// other, in one message or in fragments of which the last carries range, token
// and keys_applied. A watch's token does not depend on its keys.
//
// What is wrong with one watch ends that watch, which is told in a Failure; the
// session goes on.
class Session : public Stream {
 public:
  // The registry must outlive it.
  static std::unique_ptr<Session> Create(WatchRegistry* registry);

  // `watch` was made for this id, with pipeline, stats, and a subscription with
  // filter.growing if it has keys; the rest is set here. Fails with the status
  // of `watch`; AlreadyExists if the id is taken, whose watch ends too, for a
  // Failure says so; ResourceExhausted over a limit.
  virtual void AddWatch(uint32_t id,
                        absl::StatusOr<std::unique_ptr<Watch>> watch) = 0;
  // Nothing is told of it any more. An id that is unknown may be one that has
  // failed meanwhile.
  virtual void RemoveWatch(uint32_t id) = 0;
  // Keys are memcomparable, any order, repeats allowed; those to remove go
  // first. `request` is the client's number. Fails with the status of the keys;
  // InvalidArgument if the watch has no keys, NotFound if there is no such
  // watch, ResourceExhausted over a limit.
  virtual void ChangeKeys(uint32_t id, uint64_t request,
                          absl::StatusOr<std::vector<std::string>> add,
                          absl::StatusOr<std::vector<std::string>> remove) = 0;
  virtual WatchRegistry* registry() const = 0;
  // Null if there is no such watch.
  virtual const Watch* Find(uint32_t id) const = 0;
  // Whether more requests may be read from the client now; it changes when Next
  // is called.
  virtual bool accepts_requests() const = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SESSION_H_
