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
#include "absl/strings/string_view.h"
#include "gateway/core/stream.h"

namespace tidegate {

inline constexpr size_t kMaxWatchesPerSession = 1'000;
inline constexpr size_t kMaxKeysPerSession = 100'000;
// Requests that wait for their answer; the client's next ones stay unread.
inline constexpr size_t kMaxPendingSessionRequests = 64;

// A Stream whose messages are SessionResponses. Of the fan-out's thread.
//
// Keys that are added are answered at one position of their watch, the next one
// at which it is Live: an upsert for each that has a row, `deleted` for each
// other, in one message or in fragments of which the last carries range, token
// and keys_applied. A watch's token does not depend on its keys.
class Session : public Stream {
 public:
  static std::unique_ptr<Session> Create(WatchRegistry* registry);

  // `subscription` was made for this watch, with filter.growing if it has keys.
  // AlreadyExists if the id is taken, ResourceExhausted over a limit: what is
  // wrong with one watch is told in its Failure and the session goes on.
  virtual void AddWatch(uint32_t id,
                        absl::StatusOr<std::unique_ptr<Watch>> watch) = 0;
  virtual void RemoveWatch(uint32_t id) = 0;
  // Keys are memcomparable, any order, repeats allowed. `request` is the
  // client's number. InvalidArgument (as a Failure) if the watch has no keys.
  virtual void ChangeKeys(uint32_t id, uint64_t request,
                          absl::StatusOr<std::vector<std::string>> add,
                          absl::StatusOr<std::vector<std::string>> remove) = 0;
  // Whether more requests may be read from the client now.
  virtual bool accepts_requests() const = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SESSION_H_
