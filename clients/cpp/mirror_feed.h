// Private to clients/cpp: from a stream's events to a mirror and its handlers.
#ifndef TIDEGATE_CLIENTS_CPP_MIRROR_FEED_H_
#define TIDEGATE_CLIENTS_CPP_MIRROR_FEED_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "clients/cpp/mirror.h"
#include "clients/cpp/subscription.h"

namespace tidegate::client {

// What says that it may be called on any thread may; the rest is of the
// stream's thread.
class MirrorFeed {
 public:
  MirrorFeed(const ConnectOptions& connect, const SubscribeOptions& options,
             Handlers handlers, KeyOrderSource order_of);

  // Any thread.
  const Mirror& mirror() const { return mirror_; }

  // An error is the end, and its reason, unless stopped().
  absl::Status Take(const Event& event);
  // What has happened to the session that the watch is one of: told as it would
  // be told of the watch alone.
  absl::Status TakeOfSession(Event event);
  absl::Status TakeKeysApplied(uint64_t request, bool by_snapshot);
  void End(const absl::Status& why);

  // Any thread. That request, not applied yet, removes (and does not add) them.
  void KeysAsked(uint64_t request, std::vector<std::string> removed);
  // Any thread. Waits until the mirror shows the request's answer.
  absl::Status WaitForKeys(uint64_t request,
                           std::chrono::milliseconds timeout) const;
  // Any thread. Take() does not wait for a server any more.
  void Stop();
  bool stopped();

 private:
  // Asks until a server tells.
  absl::Status FetchOrder();
  void Follow(const Event& event);

  const ConnectOptions connect_;
  const std::string view_;
  const Handlers handlers_;
  const KeyOrderSource order_of_;
  std::mt19937_64 random_;
  Mirror mirror_;
  bool has_order_ = false;
  // Where it would resume: what a session's drain tells of this watch.
  bool connected_ = false;
  std::string token_;
  std::optional<StreamPosition> position_;

  std::atomic<uint64_t> applied_{0};  // the last request for keys
  Mutex mutex_;
  CondVar wake_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<uint64_t, std::vector<std::string>> removed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_MIRROR_FEED_H_
