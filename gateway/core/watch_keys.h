// Of a watch whose keys come and go: what has been asked for, and how far the
// answer is. Private to Subscription.
#ifndef TIDEGATE_GATEWAY_CORE_WATCH_KEYS_H_
#define TIDEGATE_GATEWAY_CORE_WATCH_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "gateway/core/subscription.h"
#include "views/store/materialized_store.h"

namespace tidegate {

// An answer brings the watch from where its client is to one later position,
// the same for its old keys and for the new ones. Everything sent of it is as
// of `as_of`: when it goes on with newer rows, what has changed until then of
// the keys already sent is sent first. Thread-compatible.
struct WatchKeys {
  struct Request {
    uint64_t number = 0;  // the client's
    std::vector<std::string> add;
    std::vector<std::string> remove;
  };

  // Those that have come and are not in the answer under way, in order.
  std::vector<Request> waiting;
  size_t keys_waiting = 0;  // that they add

  // The answer under way: to which requests, what they have changed in the
  // filter, and the keys that they add, in order, of which `next` have been
  // sent.
  std::vector<Request> taken;
  std::vector<std::string> joined;
  std::vector<std::string> left;
  std::vector<std::string> keys;
  size_t next = 0;
  Seq as_of;
  std::shared_ptr<const ReadView> rows;
  ProcessingTime rows_opened;
  // What the finality of all that it sends is judged by: of its first rows, so
  // that it is not above the last response's.
  EventTime judged_by = kNoEventTime;
  ProcessingTime newest_commit;  // with a change of the old keys; 0: none

  KeyListener listener;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_WATCH_KEYS_H_
