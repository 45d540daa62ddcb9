// Thousands of Subscribe or Session streams in one thread: one epoll loop, a
// light HTTP/2 client, and every response checked.
#ifndef TIDEGATE_LOADTEST_SWARM_SWARM_H_
#define TIDEGATE_LOADTEST_SWARM_SWARM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "loadtest/swarm/faults.h"
#include "loadtest/swarm/h2_client.h"
#include "loadtest/swarm/stream_track.h"
#include "loadtest/swarm/tally.h"

namespace tidegate::swarm {

struct SwarmOptions {
  std::string server;  // HOST:PORT, plaintext
  size_t connections = 1;
  size_t streams_per_connection = 1;
  // Messages are counted, not read: for servers that speak no view service. One
  // that begins with a fixed64 field 1 is stamped: microseconds since 1970.
  bool raw = false;
  H2Options http2;  // authority is filled in
  LatencySource latency;
  // Given each row of an upsert, if `latency` is of kRows; on Run's thread.
  std::function<void(absl::string_view row)> on_row;
  std::string view;
  size_t watches = 0;  // 0: Subscribe streams; else Sessions of so many
  // <View>Key messages, dealt out to the streams in turn; none: all rows.
  std::vector<std::string> keys;
  size_t keys_per_stream = 1;  // a multiple of `watches`
  int64_t progress_ms = 0;     // 0: as the server likes
  bool bursts = false;         // time each update until the last stream has it
  // From when every stream is live: what is measured, and until when.
  int64_t warm_up_us = 0;
  int64_t run_us = 0;  // 0: until stopped, or every stream has ended with OK
  int64_t live_timeout_us = 120'000'000;
  FaultOptions faults;
  // Not empty: what every stream holds at the end is written there, one JSON
  // object for each distinct set of rows of a filter: {"filter": [key…] (none:
  // all), "streams": how many hold it, "rows": [row…]}, keys and rows in hex.
  // Before, a stop waits for every stream to be as far as any of them was, and
  // as `head` says: where the view is, in the log's partition 0.
  std::string state_file;
  std::function<absl::StatusOr<uint64_t>()> head;
  std::vector<uint32_t> key_fields;  // numbers of the key columns in <View>Row
  int64_t settle_timeout_us = 60'000'000;
  uint64_t seed = 1;
};

// Thread-compatible.
class Swarm {
 public:
  static absl::StatusOr<std::unique_ptr<Swarm>> Create(SwarmOptions options);
  virtual ~Swarm() = default;
  // Blocks until the run is over or `stop`. `on_live` is told once, when every
  // stream is live for the first time. Errors: not all were in time, or the
  // server refused for good.
  virtual absl::StatusOr<Tally> Run(
      const std::atomic<bool>& stop,
      const std::function<void(double seconds)>& on_live) = 0;
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_SWARM_H_
