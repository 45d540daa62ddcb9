// A subscription that survives: connects, resumes by token, obeys drains and
// proves continuity, and hands events over in order.
#ifndef TIDEGATE_CLIENTS_CPP_SUBSCRIBER_H_
#define TIDEGATE_CLIENTS_CPP_SUBSCRIBER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "clients/cpp/stream_cursor.h"

namespace tidegate::client {

struct SubscriberOptions {
  std::string server;  // HOST:PORT
  std::string view;
  std::vector<std::string> keys;  // <View>Key messages; none: all rows
  std::string key_prefix;         // <View>Key with its leading columns set
  std::string where;
  std::string resume_token;
  // Between attempts: doubles from min to max, each time a random half of it
  // up to the whole; back to min once a response has come.
  int64_t min_backoff_ms = 50;
  int64_t max_backoff_ms = 5'000;
  int64_t min_interval_ms = 0;       // 0: none
  int64_t progress_interval_ms = 0;  // 0: the server's own
  // How many attempts in a row may fail; 0: any number.
  int max_failed_attempts = 0;
  uint64_t seed = 0;  // of the jitter
};

// Thread-safe. Run() is called once.
class Subscriber {
 public:
  static std::unique_ptr<Subscriber> Create(SubscriberOptions options);
  virtual ~Subscriber() = default;

  // Subscribes and calls `handler`, on this thread, for every event, until it
  // returns false or Stop() (both: OK), the server refuses for good (its
  // status; e.g. NotFound), the stream breaks a promise (DataLoss, after a
  // kBroken event), or too many attempts have failed (the last one's status).
  virtual absl::Status Run(std::function<bool(Event)> handler) = 0;
  // Ends Run() soon.
  virtual void Stop() = 0;
  // Cuts the present connection, as a network would; Run() resumes.
  virtual void Disconnect() = 0;
};

// How long to wait before attempt number `failures` + 1 (failures >= 1).
// `random` is uniform over 64 bits.
int64_t BackoffMs(int64_t min_ms, int64_t max_ms, int failures,
                  uint64_t random);

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_SUBSCRIBER_H_
