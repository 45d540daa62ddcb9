#include "gateway/grpc/subscribe_reactor.h"

#include <utility>

#include "gateway/grpc/status.h"
#include "grpcpp/support/slice.h"

namespace tidegate {
namespace {

size_t Index(SubscriberState state) { return static_cast<size_t>(state); }

}  // namespace

SubscribeReactor::SubscribeReactor(std::unique_ptr<Subscription> subscription,
                                   const ServedPipeline* pipeline,
                                   Broadcaster* broadcaster,
                                   GatewayStats* stats, ViewStats* view_stats,
                                   const Clock* clock)
    : pipeline_(pipeline),
      broadcaster_(broadcaster),
      stats_(stats),
      view_stats_(view_stats),
      clock_(clock),
      filter_(subscription->filter()),
      subscription_(std::move(subscription)),
      counted_(SubscriberState::kCatchingUp) {
  ++view_stats_->subscribers[Index(counted_)];
}

SubscribeReactor::~SubscribeReactor() {
  --view_stats_->subscribers[Index(counted_)];
}

void SubscribeReactor::Pump() {
  Action action;
  {
    MutexLock lock(&mutex_);
    action = Decide();
  }
  Perform(action);
}

void SubscribeReactor::Pump(Seq clean_to, EventTime watermark) {
  Action action;
  {
    MutexLock lock(&mutex_);
    if (waiting_) subscription_->SkipTo(clean_to, watermark);
    action = Decide();
  }
  Perform(action);
}

// Without the lock: gRPC may run a callback before these return.
void SubscribeReactor::Perform(Action action) {
  if (action == Action::kWrite) StartWrite(&buffer_);
  if (action == Action::kFinish) Finish(status_);
}

SubscribeReactor::Action SubscribeReactor::FinishWith(grpc::Status status) {
  finished_ = true;
  status_ = std::move(status);
  return Action::kFinish;
}

SubscribeReactor::Action SubscribeReactor::Decide() {
  if (writing_ || finished_) return Action::kNothing;
  if (cancelled_) return FinishWith(grpc::Status::CANCELLED);
  if (drain_sent_) {
    return FinishWith(ToGrpcWithRetry(
        absl::UnavailableError("server is draining"), retry_after_ms_));
  }
  waiting_ = false;
  const ProcessingTime now = clock_->Now();
  if (draining_ && !subscription_->mid_range()) {
    subscription_->Drain(now, retry_after_ms_, &message_);
    drain_sent_ = true;
    ++stats_->drained;
  } else {
    const bool live = subscription_->state() == SubscriberState::kLive;
    absl::StatusOr<bool> sent = subscription_->Next(now, &message_);
    while (sent.ok() && !*sent && subscription_->behind()) {
      sent = subscription_->Next(now, &message_);
    }
    if (!sent.ok()) return FinishWith(ToGrpc(sent.status()));
    due_us_ = subscription_->due().value();
    if (!*sent) {
      CountState();
      waiting_ = subscription_->settled();
      const absl::Status status = pipeline_->status();
      if (absl::IsFailedPrecondition(status)) return FinishWith(ToGrpc(status));
      return Action::kNothing;
    }
    Count(live);
  }
  writing_ = true;
  subscription_->SetBlocked(true);
  CountState();
  const grpc::Slice slice(message_.Flat());
  buffer_ = grpc::ByteBuffer(&slice, 1);
  message_ = Message();  // constant memory: the slice has it now
  return Action::kWrite;
}

void SubscribeReactor::Count(bool live) {
  const MessageInfo& info = subscription_->last_message();
  ++view_stats_->messages;
  view_stats_->bytes += message_.size();
  view_stats_->updates += info.changes;
  if (info.reset) ++view_stats_->resets[static_cast<size_t>(*info.reset)];
  if (live && info.oldest_commit != ProcessingTime()) {
    view_stats_->committed_to_sent.Observe(clock_->Now().value() -
                                           info.oldest_commit.value());
  }
}

void SubscribeReactor::CountState() {
  const SubscriberState state = subscription_->state();
  if (state == counted_) return;
  --view_stats_->subscribers[Index(counted_)];
  ++view_stats_->subscribers[Index(state)];
  counted_ = state;
}

void SubscribeReactor::BeginDrain(int64_t retry_after_ms) {
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    retry_after_ms_ = retry_after_ms;
  }
  Pump();
}

void SubscribeReactor::OnWriteDone(bool ok) {
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    subscription_->SetBlocked(false);
    if (!ok) cancelled_ = true;
  }
  Pump();
}

void SubscribeReactor::OnCancel() {
  {
    MutexLock lock(&mutex_);
    cancelled_ = true;
  }
  Pump();
}

void SubscribeReactor::OnDone() {
  broadcaster_->Remove(this);  // which may delete this
}

}  // namespace tidegate
