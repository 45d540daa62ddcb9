// Where the change log could be cut: how old and how big its parts are.
#ifndef TIDEGATE_VIEWS_STORE_LOG_MARKS_H_
#define TIDEGATE_VIEWS_STORE_LOG_MARKS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace tidegate {

// A mark stands for a stretch of the log of about a second or a megabyte, so
// that the log can be cut there. Thread-compatible.
class LogMarks {
 public:
  // Beyond this, neighbours are joined.
  static constexpr size_t kMaxMarks = 4096;
  static constexpr int64_t kMarkMs = 1000;
  static constexpr size_t kMarkBytes = 1u << 20;

  void Add(Seq seq, ProcessingTime committed_at, size_t bytes);
  // The next Add starts a new mark: the log may be cut here.
  void Seal() { sealed_ = true; }
  // The highest sequence that may go: stretches older than `retention_ms` or
  // in excess of `retention_bytes`, as far as `limit`. Seq(0) if none.
  Seq TrimTarget(ProcessingTime now, int64_t retention_ms,
                 size_t retention_bytes, Seq limit) const;
  void Trim(Seq through);
  size_t bytes() const { return bytes_; }

  void Encode(std::string* out) const;
  // Takes marks off the front of `in`; false if malformed.
  bool Decode(absl::string_view* in);

 private:
  struct Mark {
    Seq first_seq;
    Seq last_seq;
    ProcessingTime first_at;
    ProcessingTime last_at;
    size_t bytes = 0;
  };
  void Halve();

  std::deque<Mark> marks_;
  size_t bytes_ = 0;
  bool sealed_ = false;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_LOG_MARKS_H_
