// SIGTERM and SIGINT as calls on a thread, not in a signal handler.
#ifndef TIDEGATE_CMD_TIDEGATE_SIGNALS_H_
#define TIDEGATE_CMD_TIDEGATE_SIGNALS_H_

#include <atomic>
#include <functional>
#include <thread>

namespace tidegate {

// Blocks SIGTERM and SIGINT on this thread and those it makes from now on, and
// ignores SIGPIPE. Call before any other thread is made.
void BlockStopSignals();

// Waits up to `timeout_ms` for one of the two; 0 if none came.
int WaitForStopSignal(int timeout_ms);

// Calls `handler`, on its own thread, for the first signal. Ends with its own
// life.
class SignalThread {
 public:
  explicit SignalThread(std::function<void(int)> handler);
  ~SignalThread();

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_SIGNALS_H_
