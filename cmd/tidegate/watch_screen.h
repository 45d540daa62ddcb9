// How a watch shows what it is told: lines of JSON, lines of text, or a table
// that is drawn anew in place.
#ifndef TIDEGATE_CMD_TIDEGATE_WATCH_SCREEN_H_
#define TIDEGATE_CMD_TIDEGATE_WATCH_SCREEN_H_

#include <memory>

#include "absl/status/status.h"
#include "clients/cpp/dynamic_rows.h"
#include "clients/cpp/stream_cursor.h"
#include "cmd/tidegate/watch_lines.h"

namespace tidegate {

// Thread-compatible.
class Screen {
 public:
  virtual ~Screen() = default;
  virtual absl::Status Show(const client::Event& event) = 0;
};

// `rows` must outlive it. All write to standard output; a table only to a
// terminal and only if the watch is the only one.
std::unique_ptr<Screen> MakeScreen(WatchSubject subject,
                                   const client::DynamicRows* rows, bool json);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_WATCH_SCREEN_H_
