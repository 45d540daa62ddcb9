#include "views/store/log_marks.h"

#include <utility>

#include "base/coding.h"

namespace tidegate {

void LogMarks::Add(Seq seq, ProcessingTime committed_at, size_t bytes) {
  bytes_ += bytes;
  if (!sealed_ && !marks_.empty()) {
    Mark& last = marks_.back();
    const int64_t span_us = committed_at.value() - last.first_at.value();
    if (last.bytes < kMarkBytes && span_us < kMarkMs * 1000) {
      last.last_seq = seq;
      last.last_at = committed_at;
      last.bytes += bytes;
      return;
    }
  }
  sealed_ = false;
  marks_.push_back({seq, seq, committed_at, committed_at, bytes});
  if (marks_.size() > kMaxMarks) Halve();
}

// The last mark stays by itself: a checkpoint may be about to be cut there.
void LogMarks::Halve() {
  std::deque<Mark> joined;
  for (size_t i = 0; i + 1 < marks_.size(); i += 2) {
    Mark mark = marks_[i];
    if (i + 2 < marks_.size()) {
      mark.last_seq = marks_[i + 1].last_seq;
      mark.last_at = marks_[i + 1].last_at;
      mark.bytes += marks_[i + 1].bytes;
    } else {
      joined.push_back(mark);
      mark = marks_[i + 1];
    }
    joined.push_back(mark);
  }
  if (marks_.size() % 2 == 1) joined.push_back(marks_.back());
  marks_ = std::move(joined);
}

Seq LogMarks::TrimTarget(ProcessingTime now, int64_t retention_ms,
                         size_t retention_bytes, Seq limit) const {
  Seq target(0);
  size_t left = bytes_;
  for (const Mark& mark : marks_) {
    const bool old = now.value() - mark.last_at.value() > retention_ms * 1000;
    if ((!old && left <= retention_bytes) || mark.last_seq > limit) break;
    target = mark.last_seq;
    left -= mark.bytes;
  }
  return target;
}

void LogMarks::Trim(Seq through) {
  while (!marks_.empty() && marks_.front().last_seq <= through) {
    bytes_ -= marks_.front().bytes;
    marks_.pop_front();
  }
}

void LogMarks::Encode(std::string* out) const {
  PutVarint64(out, marks_.size());
  for (const Mark& mark : marks_) {
    PutVarint64(out, mark.first_seq.value());
    PutVarint64(out, mark.last_seq.value() - mark.first_seq.value());
    PutVarint64(out, ZigZag(mark.first_at.value()));
    PutVarint64(out, ZigZag(mark.last_at.value() - mark.first_at.value()));
    PutVarint64(out, mark.bytes);
  }
}

bool LogMarks::Decode(absl::string_view* in) {
  marks_.clear();
  bytes_ = 0;
  sealed_ = true;
  uint64_t count = 0;
  if (!GetVarint64(in, &count) || count > kMaxMarks) return false;
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t first = 0, length = 0, at = 0, span = 0, bytes = 0;
    if (!GetVarint64(in, &first) || !GetVarint64(in, &length) ||
        !GetVarint64(in, &at) || !GetVarint64(in, &span) ||
        !GetVarint64(in, &bytes)) {
      return false;
    }
    marks_.push_back({Seq(first), Seq(first + length),
                      ProcessingTime(UnZigZag(at)),
                      ProcessingTime(UnZigZag(at) + UnZigZag(span)), bytes});
    bytes_ += bytes;
  }
  return true;
}

}  // namespace tidegate
