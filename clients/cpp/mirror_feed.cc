#include "clients/cpp/mirror_feed.h"

#include <utility>

#include "base/status_macros.h"
#include "clients/cpp/channel.h"

namespace tidegate::client {

using std::chrono::steady_clock;

namespace {
constexpr absl::string_view kHistoryTrimmed = "HISTORY_TRIMMED";
}  // namespace

MirrorFeed::MirrorFeed(const ConnectOptions& connect,
                       const SubscribeOptions& options, Handlers handlers,
                       KeyOrderSource order_of)
    : connect_(connect),
      view_(options.view),
      handlers_(std::move(handlers)),
      order_of_(std::move(order_of)),
      random_(connect.seed),
      mirror_(options.limits) {}

void MirrorFeed::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  wake_.SignalAll();
}

bool MirrorFeed::stopped() {
  MutexLock lock(&mutex_);
  return stopped_;
}

absl::Status MirrorFeed::FetchOrder() {
  for (int failures = 0;; ++failures) {
    if (failures > 0) {
      const int64_t wait_ms =
          BackoffMs(connect_.min_backoff_ms, connect_.max_backoff_ms, failures,
                    random_());
      const auto until =
          steady_clock::now() + std::chrono::milliseconds(wait_ms);
      MutexLock lock(&mutex_);
      while (!stopped_ && steady_clock::now() < until) {
        wake_.WaitFor(&mutex_, std::chrono::ceil<std::chrono::microseconds>(
                                   until - steady_clock::now()));
      }
    }
    if (stopped()) return absl::CancelledError("it was stopped");
    absl::StatusOr<KeyOrder> order = order_of_(view_);
    if (order.ok()) {
      mirror_.SetOrder(*std::move(order));
      has_order_ = true;
      return absl::OkStatus();
    }
    if (IsPermanent(order.status())) return order.status();
  }
}

void MirrorFeed::Follow(const Event& event) {
  switch (event.kind) {
    case Event::Kind::kConnected:
      connected_ = true;
      token_ = event.token;
      if (event.token.empty()) position_.reset();
      break;
    case Event::Kind::kSnapshot:
      if (!event.token.empty()) token_ = event.token;
      break;
    case Event::Kind::kSnapshotEnd:
    case Event::Kind::kChanges:
      token_ = event.token;
      position_ = event.position;
      break;
    case Event::Kind::kReset:
      token_.clear();
      position_.reset();
      break;
    case Event::Kind::kDisconnected:
      connected_ = false;
      break;
    case Event::Kind::kDrain:
    case Event::Kind::kBroken:
      break;
  }
}

absl::Status MirrorFeed::Take(const Event& event) {
  Follow(event);
  // A view may come back with another key: after it has been rebuilt, or from
  // another server. A trimmed history is still the same view's.
  const bool starts_over =
      (event.kind == Event::Kind::kReset && event.cause != kHistoryTrimmed) ||
      (event.kind == Event::Kind::kConnected && event.token.empty());
  if (starts_over || (event.kind == Event::Kind::kConnected && !has_order_)) {
    RETURN_IF_ERROR(FetchOrder());
  }
  std::vector<RowChange> changes;
  const absl::Status applied =
      mirror_.Apply(event, handlers_.on_change ? &changes : nullptr);
  if (absl::IsDataLoss(applied) && handlers_.on_event) {
    Event broken;
    broken.kind = Event::Kind::kBroken;
    broken.detail = std::string(applied.message());
    RETURN_IF_ERROR(handlers_.on_event(broken));
  }
  RETURN_IF_ERROR(applied);
  for (const RowChange& change : changes) {
    RETURN_IF_ERROR(handlers_.on_change(change));
  }
  return handlers_.on_event ? handlers_.on_event(event) : absl::OkStatus();
}

absl::Status MirrorFeed::TakeOfSession(Event event) {
  if (!connected_) return absl::OkStatus();
  if (event.kind == Event::Kind::kDrain) {
    event.token = token_;
    event.position = position_;
  }
  return Take(event);
}

void MirrorFeed::KeysAsked(uint64_t request, std::vector<std::string> removed) {
  MutexLock lock(&mutex_);
  removed_[request] = std::move(removed);
}

absl::Status MirrorFeed::TakeKeysApplied(uint64_t request, bool by_snapshot) {
  std::vector<std::string> removed;
  {
    MutexLock lock(&mutex_);
    const auto at = removed_.find(request);
    if (at != removed_.end()) {
      removed = std::move(at->second);
      removed_.erase(at);
    }
  }
  std::vector<RowChange> changes;
  if (!by_snapshot) RETURN_IF_ERROR(mirror_.Forget(removed, &changes));
  applied_.store(request);
  mirror_.Nudge();
  if (handlers_.on_change) {
    for (const RowChange& change : changes) {
      RETURN_IF_ERROR(handlers_.on_change(change));
    }
  }
  if (handlers_.on_keys_applied) handlers_.on_keys_applied(request);
  return absl::OkStatus();
}

absl::Status MirrorFeed::WaitForKeys(uint64_t request,
                                     std::chrono::milliseconds timeout) const {
  return mirror_.WaitUntil(
      [&](const MirrorSnapshot&) { return applied_.load() >= request; },
      timeout);
}

void MirrorFeed::End(const absl::Status& why) {
  mirror_.End(why);
  if (handlers_.on_end) handlers_.on_end(why);
}

}  // namespace tidegate::client
