#include "cmd/tidegate/signals.h"

#include <pthread.h>
#include <signal.h>

#include <ctime>
#include <utility>

namespace tidegate {
namespace {

constexpr int kPollMs = 50;

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

void BlockStopSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

int WaitForStopSignal(int timeout_ms) {
  const sigset_t set = StopSignals();
  timespec timeout{};
  timeout.tv_sec = timeout_ms / 1000;
  timeout.tv_nsec = static_cast<long>(timeout_ms % 1000) * 1'000'000;
  const int got = sigtimedwait(&set, nullptr, &timeout);
  return got > 0 ? got : 0;
}

SignalThread::SignalThread(std::function<void(int)> handler)
    : thread_([this, handler = std::move(handler)] {
        while (!stop_.load()) {
          if (const int got = WaitForStopSignal(kPollMs); got != 0) {
            handler(got);
            return;
          }
        }
      }) {}

SignalThread::~SignalThread() {
  stop_.store(true);
  thread_.join();
}

}  // namespace tidegate
