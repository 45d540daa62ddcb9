// One Subscribe stream: a Subscription with gRPC's callbacks around it.
#ifndef TIDEGATE_GATEWAY_GRPC_SUBSCRIBE_REACTOR_H_
#define TIDEGATE_GATEWAY_GRPC_SUBSCRIBE_REACTOR_H_

#include <atomic>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "gateway/core/stats.h"
#include "gateway/core/subscription.h"
#include "gateway/grpc/broadcaster.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"

namespace tidegate {

// Thread-safe. One write at a time, one Finish; kept by the broadcaster until
// gRPC is done with it. All it holds of its client's data is the message under
// way.
class SubscribeReactor : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                         public Driven {
 public:
  SubscribeReactor(std::unique_ptr<Subscription> subscription,
                   const ServedPipeline* pipeline, Broadcaster* broadcaster,
                   GatewayStats* stats, ViewStats* view_stats,
                   const Clock* clock);
  ~SubscribeReactor() override;

  const ServedPipeline* pipeline() const override { return pipeline_; }
  const SubscriptionFilter& filter() const override { return filter_; }
  void Pump(Seq clean_to, EventTime watermark) override;
  // Pump for what happened to this stream itself.
  void Pump();
  ProcessingTime due() const override { return ProcessingTime(due_us_.load()); }
  void BeginDrain(int64_t retry_after_ms) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  enum class Action { kNothing, kWrite, kFinish };
  void Perform(Action action);
  Action Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(bool live) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountState() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action FinishWith(grpc::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ServedPipeline* const pipeline_;
  Broadcaster* const broadcaster_;
  GatewayStats* const stats_;
  ViewStats* const view_stats_;
  const Clock* const clock_;
  const SubscriptionFilter& filter_;  // of subscription_
  std::atomic<int64_t> due_us_{0};

  // Taken before any lock of the store; no lock of the broadcaster is taken
  // while it is held.
  Mutex mutex_;
  const std::unique_ptr<Subscription> subscription_ ABSL_PT_GUARDED_BY(mutex_);
  Message message_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Had nothing to say, and is told of every commit that concerns it.
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool drain_sent_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t retry_after_ms_ ABSL_GUARDED_BY(mutex_) = 0;
  SubscriberState counted_ ABSL_GUARDED_BY(mutex_);
  // Written under the lock by the one who set writing_ or finished_, then his.
  grpc::ByteBuffer buffer_;
  grpc::Status status_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SUBSCRIBE_REACTOR_H_
