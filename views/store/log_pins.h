// Who needs the change log from where on.
#ifndef TIDEGATE_VIEWS_STORE_LOG_PINS_H_
#define TIDEGATE_VIEWS_STORE_LOG_PINS_H_

#include <cstdint>
#include <map>
#include <memory>

#include "base/ids.h"
#include "base/mutex.h"
#include "views/store/materialized_store.h"

namespace tidegate {

// Shared by the store and its pins, so that a pin may outlive the store.
// Thread-safe; its lock is a leaf.
class LogPins : public std::enable_shared_from_this<LogPins> {
 public:
  // Keeps what comes after `seq`.
  std::unique_ptr<LogPin> Pin(Seq seq, ProcessingTime now);
  // The lowest of `limit` and the pins made less than `max_age_ms` ago.
  Seq Lowest(Seq limit, ProcessingTime now, int64_t max_age_ms) const;

 private:
  class Handle;
  struct Entry {
    Seq seq;
    ProcessingTime made_at;
  };
  void Release(uint64_t id);

  mutable Mutex mutex_;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Entry> pins_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_LOG_PINS_H_
