// Private to clients/cpp: one watch of a SessionClient, over its connections.
#ifndef TIDEGATE_CLIENTS_CPP_SESSION_WATCH_H_
#define TIDEGATE_CLIENTS_CPP_SESSION_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "clients/cpp/watch_options.h"
#include "tidegate/v1/view_service.pb.h"

namespace tidegate::client {

// Which keys the server has, and which it has been asked for.
// Thread-compatible.
class SessionWatch {
 public:
  explicit SessionWatch(WatchOptions options);

  bool keyed() const { return keyed_; }
  size_t pending() const { return pending_.size(); }
  // Whether the server may be asked for it: a watch without keys may not, for
  // there they mean all rows.
  bool HasKeys() const { return !keyed_ || !keys_.empty(); }

  // A request that is to be answered. If the watch has no keys and gets some,
  // they are the watch's at its next opening, whose snapshot is the answer.
  void Ask(uint64_t request, std::vector<std::string> add,
           std::vector<std::string> remove);
  // Nothing of what was sent counts any more but what was applied: the next
  // opening is with `token`, or with none if there are no keys.
  void Forget();
  // `token` is where it resumes.
  v1::SessionRequest Opening(uint32_t id, const std::string& token) const;
  // The requests to be sent after the opening.
  std::vector<v1::SessionRequest> Requests(uint32_t id) const;
  v1::SessionRequest LastRequest(uint32_t id) const;

  // DataLoss if that is not the next one.
  absl::Status Applied(uint64_t request);
  // Its snapshot has ended: the requests that this has answered.
  std::vector<uint64_t> SnapshotEnded();

 private:
  struct Pending {
    uint64_t request = 0;
    std::vector<std::string> add;
    std::vector<std::string> remove;
  };
  void Apply(const Pending& pending);
  // Makes pending keys the watch's own if it has none.
  void Adopt();
  static v1::SessionRequest ToRequest(uint32_t id, const Pending& pending);

  const WatchOptions options_;
  const bool keyed_;
  std::set<std::string> keys_;  // applied
  std::deque<Pending> pending_;
  std::vector<uint64_t> at_snapshot_end_;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_SESSION_WATCH_H_
