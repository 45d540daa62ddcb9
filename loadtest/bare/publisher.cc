#include "loadtest/bare/publisher.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/coding.h"

namespace tidegate::bare {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) / 1e6;
}

struct Usage {
  double cpu_s = 0;
  int64_t switches = 0;
};

Usage Now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {Seconds(usage.ru_utime) + Seconds(usage.ru_stime),
          usage.ru_nvcsw + usage.ru_nivcsw};
}

}  // namespace

grpc::ByteBuffer MakeMessage(int64_t now_us, size_t bytes) {
  std::string message;
  PutTag(&message, 1, WireType::kFixed64);
  PutFixed64LittleEndian(&message, static_cast<uint64_t>(now_us));
  PutTag(&message, 2, WireType::kLengthDelimited);
  const size_t left = std::max(bytes, kMessageBytes) - message.size();
  std::string length;
  PutVarint64(&length, left);
  PutLengthPrefixed(&message, std::string(left - length.size(), 'x'));
  const grpc::Slice slice(message);
  return grpc::ByteBuffer(&slice, 1);
}

int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Publisher::Start(int64_t now_us) {
  start_us_ = last_us_ = now_us;
  next_us_ = now_us + options_.tick_us;
}

void Publisher::Publish(
    int64_t now_us,
    absl::FunctionRef<bool(size_t stream, const grpc::ByteBuffer& message)>
        send) {
  longest_gap_us_ = std::max(longest_gap_us_, now_us - last_us_);
  last_us_ = now_us;
  next_us_ = now_us + options_.tick_us;
  if (options_.pattern == Pattern::kFlat) return;
  const auto streams = static_cast<int64_t>(options_.streams);
  int64_t due = (now_us - start_us_) * options_.rate / 1'000'000;
  if (options_.pattern == Pattern::kBurst) due -= due % streams;
  if (due <= published_) return;
  const grpc::ByteBuffer message = MakeMessage(Clock::System()->Now().value());
  for (; published_ < due; ++published_) {
    const size_t turn = static_cast<size_t>(published_ % streams);
    if (!send(turn * options_.stride % options_.streams, message)) ++skipped_;
  }
}

Pulse::Pulse(std::function<void()> beat)
    : thread_([this, beat = std::move(beat)] {
        auto next = std::chrono::steady_clock::now();
        while (!stop_.load()) {
          next += std::chrono::microseconds(kTickUs);
          std::this_thread::sleep_until(next);
          beat();
        }
      }) {}

Pulse::~Pulse() {
  stop_ = true;
  thread_.join();
}

void Meter::Begin(int64_t messages, int64_t skipped) {
  messages_ = messages;
  skipped_ = skipped;
  begin_us_ = NowUs();
  const Usage usage = Now();
  cpu_s_ = usage.cpu_s;
  switches_ = usage.switches;
}

void Meter::End(int64_t messages, int64_t skipped, BareResult* result) const {
  const Usage usage = Now();
  result->seconds = static_cast<double>(NowUs() - begin_us_) / 1e6;
  result->messages = messages - messages_;
  result->skipped = skipped - skipped_;
  result->cpu_s = usage.cpu_s - cpu_s_;
  result->switches = usage.switches - switches_;
}

absl::Status TooSlow(int64_t messages, int64_t wanted) {
  return absl::DeadlineExceededError(absl::StrCat(
      "only ", messages, " of ", wanted, " messages were written"));
}

double RssKb() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0;
  int64_t resident = 0;
  statm >> size >> resident;
  return static_cast<double>(resident) *
         static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024;
}

}  // namespace tidegate::bare
