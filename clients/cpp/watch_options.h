// What a subscription, or a watch of a session, is of.
#ifndef TIDEGATE_CLIENTS_CPP_WATCH_OPTIONS_H_
#define TIDEGATE_CLIENTS_CPP_WATCH_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace tidegate::client {

struct WatchOptions {
  std::string view;
  std::vector<std::string> keys;  // <View>Key messages
  // Of a session's watch: it has keys, though there may be none now. Otherwise
  // no keys mean all rows.
  bool keyed = false;
  std::string key_prefix;  // <View>Key with its leading columns set
  std::string where;       // SQL over the view's columns
  // From an earlier stream of the same; with keys, those applied when it came.
  std::string resume_token;
  int64_t min_interval_ms = 0;       // 0: none
  int64_t progress_interval_ms = 0;  // 0: the server's own
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_WATCH_OPTIONS_H_
