#include "clients/cpp/subscription.h"

#include <thread>
#include <utility>

#include "base/mutex.h"
#include "clients/cpp/mirror_feed.h"
#include "clients/cpp/subscriber.h"

namespace tidegate::client {
namespace {

SubscriberOptions Join(const ConnectOptions& connect,
                       const SubscribeOptions& options) {
  SubscriberOptions joined;
  static_cast<ConnectOptions&>(joined) = connect;
  static_cast<WatchOptions&>(joined) = options;
  return joined;
}

class MirroredSubscription : public Subscription {
 public:
  MirroredSubscription(const ConnectOptions& connect,
                       const SubscribeOptions& options, Handlers handlers,
                       KeyOrderSource order_of)
      : feed_(connect, options, std::move(handlers), std::move(order_of)),
        subscriber_(Subscriber::Create(Join(connect, options))),
        thread_([this] { Run(); }) {}
  ~MirroredSubscription() override {
    MirroredSubscription::Stop();
    thread_.join();
  }

  const Mirror& rows() const override { return feed_.mirror(); }
  void Stop() override {
    feed_.Stop();
    subscriber_->Stop();
  }
  absl::Status Wait() override {
    MutexLock lock(&mutex_);
    while (!ended_) changed_.Wait(&mutex_);
    return status_;
  }
  void Disconnect() override { subscriber_->Disconnect(); }

 private:
  void Run() {
    absl::Status taken;
    absl::Status status = subscriber_->Run([&](const Event& event) {
      taken = feed_.Take(event);
      return taken.ok();
    });
    if (status.ok() && !feed_.stopped()) status = taken;
    feed_.End(status);
    MutexLock lock(&mutex_);
    ended_ = true;
    status_ = status;
    changed_.SignalAll();
  }

  MirrorFeed feed_;
  const std::unique_ptr<Subscriber> subscriber_;
  Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // the last to come and the first to go
};

}  // namespace

std::unique_ptr<Subscription> Subscription::Create(
    const ConnectOptions& connect, const SubscribeOptions& options,
    Handlers handlers, KeyOrderSource order_of) {
  return std::make_unique<MirroredSubscription>(
      connect, options, std::move(handlers), std::move(order_of));
}

}  // namespace tidegate::client
