// Bare gRPC servers that stream one prebuilt message: what pushing costs with
// nothing behind it, by each of gRPC's server APIs.
#ifndef TIDEGATE_LOADTEST_BARE_BARE_SERVER_H_
#define TIDEGATE_LOADTEST_BARE_BARE_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace tidegate::bare {

inline constexpr size_t kMessageBytes = 128;
inline constexpr int64_t kTickUs = 1'000;

enum class Pattern : uint8_t {
  kFlat,    // every stream as fast as it goes
  kSpread,  // each update to one stream
  kBurst,   // each update to all streams
};

// What tells the publishing thread that something is due.
enum class Wake : uint8_t {
  kClock,  // its own
  kFold,   // another thread, as a commit does
};

struct BareOptions {
  std::string listen = "127.0.0.1:0";
  Pattern pattern = Pattern::kSpread;
  Wake wake = Wake::kClock;
  size_t streams = 1'000;  // waits until so many are open
  int64_t rate = 20'000;   // deliveries a second, all streams together
  // Updates come in steps of this; the message is then built (stamped) anew.
  int64_t tick_us = kTickUs;
  // kSpread: from a stream to the next one that is due, in order of opening.
  // Has no common factor with `streams`.
  size_t stride = 1;
  size_t message_bytes = kMessageBytes;
  // kFlat: each stream gets so many messages, and the run ends with the last;
  // then all of it is measured, opening included. 0: until run_us is over.
  int64_t messages_each = 0;
  int64_t warm_up_us = 2'000'000;
  int64_t run_us = 10'000'000;
  int64_t open_timeout_us = 60'000'000;
};

struct BareResult {
  int64_t messages = 0;  // written while it was measured
  // Due on a stream whose last message was still under way: left out.
  int64_t skipped = 0;
  // The longest time the publisher did not get to run, warm-up included: a
  // machine that is busy with others shows here.
  double longest_gap_ms = 0;
  double seconds = 0;
  double cpu_s = 0;      // user + system, of the whole process
  int64_t switches = 0;  // context switches, voluntary and not
  double rss_before_kb = 0;
  double rss_open_kb = 0;  // with every stream open and nothing sent
};

// Thread-compatible.
class BareServer {
 public:
  virtual ~BareServer() = default;
  virtual int port() const = 0;
  // Waits for the streams, sends, and ends every stream with OK.
  virtual absl::StatusOr<BareResult> Run() = 0;
};

// A publisher thread calls StartWrite; gRPC's threads call back.
absl::StatusOr<std::unique_ptr<BareServer>> MakeCallbackServer(
    const BareOptions& options);
// The publishing thread writes and drains its own completion queue; there is no
// other.
absl::StatusOr<std::unique_ptr<BareServer>> MakeQueueServer(
    const BareOptions& options);

}  // namespace tidegate::bare

#endif  // TIDEGATE_LOADTEST_BARE_BARE_SERVER_H_
