#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/timestamp.h"

namespace tidegate {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;

std::atomic<LogLevel> log_level{LogLevel::kInfo};

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarning:
      return "WARNING";
    case LogLevel::kError:
      return "ERROR";
  }
  return "?";
}

// Always three digits after the second, so that lines align.
std::string FormatMillis(ProcessingTime now) {
  const int64_t millis = now.value() / 1000;
  std::string text = FormatTimestamp(millis / 1000 * kMicrosPerSecond);
  text.pop_back();
  absl::StrAppendFormat(&text, ".%03dZ", millis % 1000);
  return text;
}

bool NeedsQuotes(absl::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || c == '"' || c == '=' || c == '\\') {
      return true;
    }
  }
  return false;
}

void WriteStandardError(absl::string_view line) {
  while (!line.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    line.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

void Log(LogLevel level, absl::string_view message,
         std::initializer_list<LogField> fields) {
  if (level < log_level.load(std::memory_order_relaxed)) return;
  std::string line = absl::StrCat(FormatMillis(Clock::System()->Now()), " ",
                                  LevelName(level), " ");
  // A record of someone else's making must not forge a second line.
  absl::StrAppend(&line, absl::Utf8SafeCEscape(message));
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=");
    if (NeedsQuotes(field.value)) {
      absl::StrAppend(&line, "\"", absl::Utf8SafeCEscape(field.value), "\"");
    } else {
      absl::StrAppend(&line, field.value);
    }
  }
  line.push_back('\n');
  WriteStandardError(line);
}

void SetLogLevel(LogLevel level) {
  log_level.store(level, std::memory_order_relaxed);
}

bool LogRateLimiter::Allow(ProcessingTime now, int64_t* suppressed) {
  MutexLock lock(&mutex_);
  const int64_t elapsed_us = now.value() - window_start_us_;
  if (elapsed_us < 0 || elapsed_us >= kMicrosPerSecond) {
    window_start_us_ = now.value();
    in_window_ = 0;
  }
  if (in_window_ >= burst_) {
    ++suppressed_;
    return false;
  }
  ++in_window_;
  *suppressed = suppressed_;
  suppressed_ = 0;
  return true;
}

}  // namespace tidegate
