#include "cmd/tidegate/watch_board.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {

using client::Event;
using client::SessionEvent;

void WatchBoard::Add(uint32_t watch, std::string view,
                     std::unique_ptr<Screen> screen) {
  watches_[watch].view = std::move(view);
  watches_[watch].screen = std::move(screen);
}

absl::Status WatchBoard::ShowOne(const Event& event, Watch* watch) {
  switch (event.kind) {
    case Event::Kind::kConnected:
      watch->connected = true;
      watch->token = event.token;
      if (event.token.empty()) watch->position.reset();
      break;
    case Event::Kind::kSnapshot:
      if (!event.token.empty()) watch->token = event.token;
      break;
    case Event::Kind::kSnapshotEnd:
      watch->snapshot_ended = true;
      [[fallthrough]];
    case Event::Kind::kChanges:
      watch->token = event.token;
      watch->position = event.position;
      break;
    case Event::Kind::kReset:
      watch->token.clear();
      watch->position.reset();
      break;
    case Event::Kind::kDisconnected:
      watch->connected = false;
      break;
    case Event::Kind::kDrain:
    case Event::Kind::kBroken:
      break;
  }
  return watch->screen->Show(event);
}

absl::Status WatchBoard::Show(const SessionEvent& event) {
  if (event.kind == SessionEvent::Kind::kSession) {
    for (auto& [id, watch] : watches_) {
      if (!watch.connected) continue;
      Event own = event.event;
      if (own.kind == Event::Kind::kDrain) {
        own.token = watch.token;
        own.position = watch.position;
      }
      RETURN_IF_ERROR(ShowOne(own, &watch));
    }
    return absl::OkStatus();
  }
  const auto at = watches_.find(event.watch);
  if (at == watches_.end()) return absl::OkStatus();
  if (event.kind == SessionEvent::Kind::kFailed) {
    return absl::Status(event.failure.code(),
                        absl::StrCat("view \"", at->second.view,
                                     "\": ", event.failure.message()));
  }
  if (event.kind != SessionEvent::Kind::kStream) return absl::OkStatus();
  return ShowOne(event.event, &at->second);
}

bool WatchBoard::all_snapshots_ended() const {
  for (const auto& [id, watch] : watches_) {
    if (!watch.snapshot_ended) return false;
  }
  return true;
}

std::string WatchBoard::view(uint32_t watch) const {
  const auto at = watches_.find(watch);
  return at == watches_.end() ? "" : at->second.view;
}

}  // namespace tidegate
