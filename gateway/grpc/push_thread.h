// The thread that serves calls: it owns a completion queue and a fan-out,
// writes to every client of its queue, and takes the completions itself.
#ifndef TIDEGATE_GATEWAY_GRPC_PUSH_THREAD_H_
#define TIDEGATE_GATEWAY_GRPC_PUSH_THREAD_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "gateway/core/fan_out.h"
#include "gateway/core/stats.h"
#include "gateway/grpc/call.h"
#include "gateway/grpc/waker.h"
#include "gateway/grpc/worker_pool.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/async_generic_service.h"

namespace tidegate {

// Requests for calls that wait for clients: a storm of connections finds as
// many open at once.
inline constexpr size_t kOpenRequests = 64;
// Events taken before the fan-out has its turn again.
inline constexpr size_t kEventsPerTurn = 256;
// Health and the like are looked at this often without a commit.
inline constexpr int64_t kTickMs = 20;

struct PushThreadOptions {
  FanOutOptions fan_out;
  const ViewHub* hub = nullptr;
  GatewayStats* stats = nullptr;
  const Clock* clock = nullptr;
  const MethodTable* methods = nullptr;
  WorkerPool* workers = nullptr;
  // Called on this thread every kTickMs or so.
  std::function<void(ProcessingTime)> on_tick;
};

// CallHost's methods are of its own thread; the public ones are thread-safe
// unless they say otherwise.
class PushThread : public CallHost {
 public:
  // Listens to the pipelines' commits.
  PushThread(PushThreadOptions options,
             std::unique_ptr<grpc::ServerCompletionQueue> queue);
  ~PushThread() override;

  // Once the server that the queue and `service` belong to has started.
  void Start(grpc::AsyncGenericService* service);
  // Refuses new streams, hands on those there are: FanOut::BeginDrain. Streams
  // that end after `deadline_ms` from now count as cut.
  void BeginDrain(int64_t retry_after_ms, int64_t over_ms, int64_t deadline_ms);
  // The server is being shut down: no calls are asked for any more.
  void StopAccepting() { accepting_ = false; }
  // After the server's Shutdown: takes the last events and ends the thread.
  void Stop();

  FanOut& fan_out() override { return *fan_out_; }
  ProcessingTime Now() const override { return options_.clock->Now(); }
  void Post(std::function<void()> task) override;
  bool RunElsewhere(std::function<void()> task) override {
    return options_.workers->Run(std::move(task));
  }
  bool Request(grpc::GenericServerContext* context,
               grpc::GenericServerAsyncReaderWriter* stream,
               void* tag) override;
  void Accepted() override { Call::Expect(this); }
  const MethodTable& methods() const override { return *options_.methods; }
  grpc::Status Refusal(const absl::Status& status) override;
  void StreamCut() override;
  bool closed() const override { return closed_; }

 private:
  void Run();
  // Takes what is there, waiting for it until `until` at most. False at the
  // queue's end.
  bool TakeEvents(ProcessingTime until);
  void RunPosted();
  void Close();

  const PushThreadOptions options_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const std::shared_ptr<Waker> waker_;
  const std::unique_ptr<FanOut> fan_out_;
  grpc::AsyncGenericService* service_ = nullptr;
  std::atomic<bool> accepting_{true};

  Mutex mutex_;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mutex_);

  // Of the thread.
  std::mt19937_64 random_;
  int64_t drain_retry_ms_ = 0;
  ProcessingTime drain_deadline_ = kNever;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_PUSH_THREAD_H_
