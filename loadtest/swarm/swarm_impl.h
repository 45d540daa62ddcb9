// The swarm's one thread. Private to swarm.cc.
#ifndef TIDEGATE_LOADTEST_SWARM_SWARM_IMPL_H_
#define TIDEGATE_LOADTEST_SWARM_SWARM_IMPL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "loadtest/swarm/burst_tracker.h"
#include "loadtest/swarm/call_track.h"
#include "loadtest/swarm/connections.h"
#include "loadtest/swarm/faults.h"
#include "loadtest/swarm/held_rows.h"
#include "loadtest/swarm/message_reader.h"
#include "loadtest/swarm/sockets.h"
#include "loadtest/swarm/swarm.h"

namespace tidegate::swarm {

struct Stream {
  size_t connection = 0;
  CallTrack track;
  MessageReader reader;
  std::string held;            // received while it stalls
  std::vector<HeldRows> rows;  // of each watch, if state is wanted
  uint32_t id = 0;             // on its connection; 0: not open
  int64_t open_at_us = 0;
  int failures = 0;  // in a row
  bool live = false;
  bool stalled = false;
  bool failed = false;  // a watch did, so it is to be cut off
  bool chosen = false;
  bool done = false;  // ended with OK
};

class SwarmImpl : public Swarm, private Connections::Owner {
 public:
  SwarmImpl(SwarmOptions options, FaultPlan plan, const Endpoint& endpoint);
  absl::Status Init() { return connections_.Init(); }
  absl::StatusOr<Tally> Run(
      const std::atomic<bool>& stop,
      const std::function<void(double seconds)>& on_live) override;

 private:
  using Timer = std::pair<int64_t, size_t>;  // when to open which stream

  void OnReady(size_t connection) override;
  void OnHeaders(size_t connection, uint32_t id) override;
  void OnData(size_t connection, uint32_t id, absl::string_view bytes) override;
  void OnEnd(size_t connection, uint32_t id, const GrpcEnd& end) override;
  void OnLost(size_t connection, const absl::Status& why) override;

  size_t StreamOf(size_t connection, uint32_t id) const {
    return by_id_[connection][id / 2];
  }
  void RunTimers();
  void RunFaults();
  void Disconnect(size_t stream, int64_t pause_us);
  // One stream among others on its connection.
  void Cut(size_t stream, int64_t back_us);
  void Storm();
  void ResumeReading(size_t stream);
  void Forget(size_t connection);

  void Open(size_t stream);
  void OpenLater(size_t stream, int64_t at_us);
  std::vector<std::string> RequestsOf(size_t stream) const;
  void Read(size_t stream, absl::string_view bytes);
  void OnMessage(size_t stream, absl::string_view message);
  void OnResponse(size_t stream, const absl::Status& verdict);
  void OnFailure(size_t stream);
  void OnRaw(absl::string_view message);
  void Measure(const Stream& stream);
  // What is held: swarm_state.cc.
  void KeepRows(size_t stream);
  // Whether every stream has come at least as far as the view and the farthest
  // of them had when this was first asked.
  bool Settled();
  absl::Status WriteState() const;
  void SetLive(size_t stream, bool live);
  bool NoneOpen(size_t connection) const;
  void Violation(size_t stream, absl::string_view what);
  void NoteAllLive(const std::function<void(double seconds)>& on_live);
  bool Over(const std::atomic<bool>& stop);
  void FinishTally();
  int64_t now_us() const { return connections_.now_us(); }

  const SwarmOptions options_;
  const FaultPlan plan_;
  const size_t per_connection_;
  const size_t total_;
  std::mt19937_64 random_;
  Connections connections_;
  std::vector<Stream> streams_;  // those of a connection side by side
  // Of each connection: streams by half their number.
  std::vector<std::vector<size_t>> by_id_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  Response response_;

  const int64_t start_us_;
  int64_t all_live_us_ = 0;  // 0: not yet
  int64_t storm_us_ = 0;
  size_t next_fault_ = 0;
  size_t live_ = 0;
  size_t done_ = 0;
  bool measuring_ = false;
  int64_t settle_since_us_ = 0;  // 0: not asked to stop yet
  uint64_t settle_position_ = 0;
  absl::Status fatal_;
  Tally tally_;
  BurstTracker bursts_;
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_SWARM_IMPL_H_
