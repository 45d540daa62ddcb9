// A session that survives: many watches on one stream, whose keys come and go
// while it runs; connects, resumes each watch by its token, and proves
// continuity for each.
#ifndef TIDEGATE_CLIENTS_CPP_SESSION_CLIENT_H_
#define TIDEGATE_CLIENTS_CPP_SESSION_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cpp/connect_options.h"
#include "clients/cpp/event.h"
#include "clients/cpp/watch_options.h"

namespace tidegate::client {

// Requests for keys of one watch that have no answer yet.
inline constexpr size_t kMaxPendingKeyRequests = 10'000;

using SessionClientOptions = ConnectOptions;

// What happens, in order. Those of one watch are as a Subscriber has them.
struct SessionEvent {
  enum class Kind {
    kStream,       // `event`, of the watch
    kKeysApplied,  // `request`, of the watch: what came before is the answer
    kFailed,       // `failure`: the watch has ended; its last event
    kSession,      // `event`, of the session: kDrain or kDisconnected
  };
  Kind kind = Kind::kStream;
  uint32_t watch = 0;  // 0: the session
  Event event;
  uint64_t request = 0;
  // kKeysApplied: the answer was a snapshot, of all keys that are there after
  // the last request that it has answered.
  bool by_snapshot = false;
  absl::Status failure;
};

// Thread-safe. Run() is called once; the others at any time, also from its
// handler.
class SessionClient {
 public:
  static std::unique_ptr<SessionClient> Create(
      const SessionClientOptions& options);
  virtual ~SessionClient() = default;

  // The watch's number, from 1 on, the same over all connections.
  virtual uint32_t AddWatch(WatchOptions options) = 0;
  // Events that are under way may still come.
  virtual void RemoveWatch(uint32_t watch) = 0;
  // <View>Key messages; those to remove go first. The request's number:
  // kKeysApplied tells of each once, in order, over all connections. After a
  // watch has had no keys at all, it starts again with a snapshot. NotFound,
  // InvalidArgument if it is not keyed, ResourceExhausted over the limit.
  virtual absl::StatusOr<uint64_t> ChangeKeys(
      uint32_t watch, std::vector<std::string> add,
      std::vector<std::string> remove) = 0;

  // Calls `handler`, on this thread, for every event, until it returns false or
  // Stop() (both: OK), the server refuses the session for good, a watch's
  // stream breaks a promise (DataLoss, after a kBroken event), or too many
  // attempts have failed. A watch that the server cannot serve now is asked for
  // again, with a kDisconnected event of its own.
  virtual absl::Status Run(std::function<bool(SessionEvent)> handler) = 0;
  virtual void Stop() = 0;
  // Cuts the present connection, as a network would; Run() resumes.
  virtual void Disconnect() = 0;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_SESSION_CLIENT_H_
