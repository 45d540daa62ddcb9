// Which stream is due when, and what it is sent: the same for every API.
#ifndef TIDEGATE_LOADTEST_BARE_PUBLISHER_H_
#define TIDEGATE_LOADTEST_BARE_PUBLISHER_H_

#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "loadtest/bare/bare_server.h"

namespace tidegate::bare {

// `bytes` of a message with the stamp `now_us` as its fixed64 field 1; at least
// kMessageBytes.
grpc::ByteBuffer MakeMessage(int64_t now_us, size_t bytes = kMessageBytes);

int64_t NowUs();  // monotonic

// Thread-compatible. Times in NowUs.
class Publisher {
 public:
  explicit Publisher(const BareOptions& options) : options_(options) {}

  void Start(int64_t now_us);
  // Calls `send` for every stream that has become due since the last call; its
  // answer is false if the stream was busy. Nothing in kFlat.
  void Publish(
      int64_t now_us,
      absl::FunctionRef<bool(size_t stream, const grpc::ByteBuffer& message)>
          send);
  int64_t skipped() const { return skipped_; }
  // The longest time between two calls so far.
  int64_t longest_gap_us() const { return longest_gap_us_; }
  // When to call next.
  int64_t next_us() const { return next_us_; }

 private:
  const BareOptions options_;
  int64_t start_us_ = 0;
  int64_t next_us_ = 0;
  int64_t published_ = 0;  // deliveries, skipped ones too
  int64_t skipped_ = 0;
  int64_t last_us_ = 0;
  int64_t longest_gap_us_ = 0;
};

// Stands for the fold: a thread that calls `beat` every kTickUs until it dies.
class Pulse {
 public:
  explicit Pulse(std::function<void()> beat);
  ~Pulse();

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// Snapshots of what the process has used, around the part that is measured.
class Meter {
 public:
  void Begin(int64_t messages, int64_t skipped);
  void End(int64_t messages, int64_t skipped, BareResult* result) const;

 private:
  int64_t begin_us_ = 0;
  int64_t messages_ = 0;
  int64_t skipped_ = 0;
  double cpu_s_ = 0;
  int64_t switches_ = 0;
};

double RssKb();

absl::Status TooSlow(int64_t messages, int64_t wanted);

}  // namespace tidegate::bare

#endif  // TIDEGATE_LOADTEST_BARE_PUBLISHER_H_
