#include "gateway/core/subscribe_stream.h"

#include <utility>

#include "base/status_macros.h"

namespace tidegate {
namespace {

size_t Index(SubscriberState state) { return static_cast<size_t>(state); }

}  // namespace

absl::StatusOr<std::unique_ptr<Stream>> SubscribeStream::Create(
    std::unique_ptr<Subscription> subscription, const ServedPipeline* pipeline,
    ViewStats* stats, WatchRegistry* registry) {
  std::unique_ptr<SubscribeStream> stream(
      new SubscribeStream(std::move(subscription), pipeline, stats, registry));
  RETURN_IF_ERROR(registry->Add(&stream->watch_));
  stream->registered_ = true;
  return stream;
}

SubscribeStream::SubscribeStream(std::unique_ptr<Subscription> subscription,
                                 const ServedPipeline* pipeline,
                                 ViewStats* stats, WatchRegistry* registry)
    : registry_(registry) {
  watch_.stream = this;
  watch_.pipeline = pipeline;
  watch_.stats = stats;
  watch_.subscription = std::move(subscription);
  ++stats->subscribers[Index(counted_)];
}

SubscribeStream::~SubscribeStream() {
  if (registered_) registry_->Remove(&watch_);
  --watch_.stats->subscribers[Index(counted_)];
}

absl::StatusOr<bool> SubscribeStream::Next(ProcessingTime now,
                                           Message* message) {
  if (watch_.waiting && now < due()) {
    if (watch_.stopped) return watch_.pipeline->status();
    CountState();
    return false;
  }
  registry_->SkipIdle(&watch_);
  const bool live = watch_.subscription->state() == SubscriberState::kLive;
  ASSIGN_OR_RETURN(const bool sent, watch_.subscription->Next(now, message));
  // Also with a message in hand: it reaches to the head.
  watch_.waiting = watch_.subscription->settled();
  if (sent) {
    CountMessage(live, now, message->size());
    return true;
  }
  if (watch_.stopped) return watch_.pipeline->status();
  CountState();
  return false;
}

void SubscribeStream::Woken(Watch* /*watch*/) {}

ProcessingTime SubscribeStream::due() const {
  return watch_.subscription->due();
}

bool SubscribeStream::awaits_rows() const {
  return watch_.subscription->awaits_rows();
}

bool SubscribeStream::behind() const {
  return watch_.subscription->state() == SubscriberState::kCatchingUp;
}

void SubscribeStream::SetBlocked(bool blocked) {
  watch_.subscription->SetBlocked(blocked);
  CountState();
}

bool SubscribeStream::mid_range() const {
  return watch_.subscription->mid_range();
}

void SubscribeStream::Drain(ProcessingTime now, int64_t retry_after_ms,
                            Message* message) {
  watch_.subscription->Drain(now, retry_after_ms, message);
}

void SubscribeStream::CountMessage(bool live, ProcessingTime now,
                                   size_t bytes) {
  const MessageInfo& info = watch_.subscription->last_message();
  ViewStats& stats = *watch_.stats;
  ++stats.messages;
  stats.bytes += bytes;
  stats.updates += info.changes;
  if (info.reset) ++stats.resets[static_cast<size_t>(*info.reset)];
  if (live && info.oldest_commit != ProcessingTime()) {
    stats.committed_to_sent.Observe(now.value() - info.oldest_commit.value());
  }
}

void SubscribeStream::CountState() {
  const SubscriberState state = watch_.subscription->state();
  if (state == counted_) return;
  --watch_.stats->subscribers[Index(counted_)];
  ++watch_.stats->subscribers[Index(state)];
  counted_ = state;
}

}  // namespace tidegate
