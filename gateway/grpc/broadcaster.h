// Tells subscribers that there is something to say: one thread between the fold
// and any number of clients. The fold only sets a flag.
#ifndef TIDEGATE_GATEWAY_GRPC_BROADCASTER_H_
#define TIDEGATE_GATEWAY_GRPC_BROADCASTER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "gateway/core/key_index.h"
#include "gateway/core/stats.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

// How often progress, deadlines and health are looked at without a commit.
inline constexpr int64_t kTickMs = 20;

// A subscriber as the broadcaster drives it. Thread-safe; must not block.
class Driven {
 public:
  virtual ~Driven() = default;
  virtual const ServedPipeline* pipeline() const = 0;
  // Never changes.
  virtual const SubscriptionFilter& filter() const = 0;
  // Sends what there is to say, unless a write is under way. Goes on by itself
  // until nothing is left; then it waits for the next Pump. If it waited
  // already, no commit since up to `clean_to`, whose watermark is given,
  // concerns it.
  virtual void Pump(Seq clean_to, EventTime watermark) = 0;
  // Something may be due at this time without a commit.
  virtual ProcessingTime due() const = 0;
  virtual void BeginDrain(int64_t retry_after_ms) = 0;
};

// Thread-safe. Callbacks run on the broadcaster's thread, or inline where a
// method says so, with no lock held.
class Broadcaster {
 public:
  // `on_health` is told OK-ness whenever it changes: every pipeline is OK and
  // nothing drains. `on_tick` is called every kTickMs or more often.
  Broadcaster(const ViewHub* hub, GatewayStats* stats, const Clock* clock,
              size_t max_subscribers, std::function<void(bool)> on_health,
              std::function<void(ProcessingTime)> on_tick);
  ~Broadcaster();

  // False if there are max_subscribers, or if it drains.
  bool Add(std::shared_ptr<Driven> subscriber);
  void Remove(const Driven* subscriber);

  // Calls `done` when the store's head has reached `seq`: inline if it has,
  // else from the broadcaster's thread, with DeadlineExceeded at `deadline` and
  // Unavailable when it drains.
  void WaitFor(const ServedPipeline* pipeline, Seq seq, ProcessingTime deadline,
               std::function<void(absl::Status)> done);

  bool draining() const;
  int64_t retry_after_ms() const;
  // Tells every subscriber, then waits until all are gone; false if some were
  // left at the deadline.
  bool Drain(int64_t retry_after_ms, int64_t deadline_ms);
  // Ends the thread; waiting reads fail.
  void Stop();

 private:
  struct WaitingRead {
    const ServedPipeline* pipeline;
    Seq seq;
    ProcessingTime deadline;
    std::function<void(absl::Status)> done;
  };
  // Outlives this in the pipelines' listeners.
  struct Waker {
    Mutex mutex;
    CondVar changed;
    bool signalled ABSL_GUARDED_BY(mutex) = false;
    void Wake();
  };
  using Subscribers = std::vector<std::shared_ptr<Driven>>;

  void Run();
  bool WaitForWork();  // false when stopped
  void PumpAll();
  void FinishReads();
  // Tells those whom the next commits of a pipeline concern.
  void Tell(size_t pipeline);
  void Count(size_t pipeline,
             const std::vector<std::shared_ptr<const Commit>>& commits);
  void PumpDue(ProcessingTime now);
  KeyIndex<Driven*>& IndexOf(const Driven& subscriber)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReportHealth();
  std::shared_ptr<const Subscribers> Snapshot();

  const ViewHub* const hub_;
  GatewayStats* const stats_;
  const Clock* const clock_;
  const size_t max_subscribers_;
  const std::function<void(bool)> on_health_;
  const std::function<void(ProcessingTime)> on_tick_;
  const std::shared_ptr<Waker> waker_ = std::make_shared<Waker>();

  // Lock order: mutex_ before waker_->mutex.
  mutable Mutex mutex_;
  CondVar emptied_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t retry_after_ms_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<const Driven*, std::shared_ptr<Driven>> subscribers_
      ABSL_GUARDED_BY(mutex_);
  // By pipeline, as in the hub.
  std::vector<KeyIndex<Driven*>> indexes_ ABSL_GUARDED_BY(mutex_);
  // A copy of subscribers_ for the thread to walk; null when out of date.
  std::shared_ptr<const Subscribers> snapshot_ ABSL_GUARDED_BY(mutex_);
  std::vector<WaitingRead> reads_ ABSL_GUARDED_BY(mutex_);

  // Of the broadcaster's thread.
  // By pipeline: the last commit that everyone concerned was told of.
  struct Told {
    Seq head;
    EventTime watermark = kNoEventTime;
  };
  std::vector<Told> told_;
  ProcessingTime next_look_;  // at what is due without a commit
  bool healthy_ = false;
  std::thread thread_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_BROADCASTER_H_
