// Structured log lines on standard error: time, level, message, key=value.
#ifndef TIDEGATE_BASE_LOG_H_
#define TIDEGATE_BASE_LOG_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/mutex.h"

namespace tidegate {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// A value of a log line; text is quoted where it needs it.
struct LogField {
  template <typename T>
  LogField(absl::string_view key_in, const T& value_in)
      : key(key_in), value(absl::StrCat(value_in)) {}
  absl::string_view key;
  std::string value;
};

// Writes one line, whole, e.g.
//   2026-01-02T03:04:05.678Z WARNING bad record topic=orders partition=3
// Thread-safe. Log(LogLevel::kInfo, "checkpoint", {{"seq", 12}});
void Log(LogLevel level, absl::string_view message,
         std::initializer_list<LogField> fields = {});
// Lines below `level` are not written. Default kInfo.
void SetLogLevel(LogLevel level);

// Lets at most `burst` through per second and counts what it holds back.
// Thread-safe.
class LogRateLimiter {
 public:
  explicit LogRateLimiter(int burst_per_second) : burst_(burst_per_second) {}
  // True if a line may be written now; `suppressed` is how many were held back
  // since the last one that was let through.
  bool Allow(ProcessingTime now, int64_t* suppressed);

 private:
  const int burst_;
  Mutex mutex_;
  int64_t window_start_us_ ABSL_GUARDED_BY(mutex_) = 0;
  int in_window_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t suppressed_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_BASE_LOG_H_
