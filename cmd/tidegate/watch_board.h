// What becomes of a session's events: each goes to the screen of its watch.
#ifndef TIDEGATE_CMD_TIDEGATE_WATCH_BOARD_H_
#define TIDEGATE_CMD_TIDEGATE_WATCH_BOARD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "clients/cpp/session_client.h"
#include "cmd/tidegate/watch_screen.h"

namespace tidegate {

// Each screen is told what a Subscriber of its own would have told it: what
// happens to the session happens to every watch. Thread-compatible.
class WatchBoard {
 public:
  // `watch` as the session numbers it.
  void Add(uint32_t watch, std::string view, std::unique_ptr<Screen> screen);

  // Fails as the screen does, and if a watch has been refused for good.
  absl::Status Show(const client::SessionEvent& event);
  // Each watch has had the end of a snapshot.
  bool all_snapshots_ended() const;
  // "" of the session, 0.
  std::string view(uint32_t watch) const;

 private:
  struct Watch {
    std::string view;
    std::unique_ptr<Screen> screen;
    bool connected = false;
    bool snapshot_ended = false;
    // Where it would resume: what a drain tells.
    std::string token;
    std::optional<client::StreamPosition> position;
  };
  static absl::Status ShowOne(const client::Event& event, Watch* watch);

  std::map<uint32_t, Watch> watches_;
};

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_WATCH_BOARD_H_
