#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tidegate {

void FuzzFailed(const char* condition, const char* file, int line,
                const std::string& details) {
  std::fprintf(stderr, "%s:%d: expected %s: %s\n", file, line, condition,
               details.c_str());
  std::abort();
}

uint8_t FuzzInput::Byte() {
  if (rest_.empty()) return 0;
  const auto byte = static_cast<uint8_t>(rest_[0]);
  rest_.remove_prefix(1);
  return byte;
}

absl::string_view FuzzInput::Until(char end) {
  const size_t at = std::min(rest_.find(end), rest_.size());
  const absl::string_view part = rest_.substr(0, at);
  rest_.remove_prefix(std::min(at + 1, rest_.size()));
  return part;
}

absl::string_view FuzzInput::Part() {
  const size_t size = std::min<size_t>(Byte(), rest_.size());
  const absl::string_view part = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return part;
}

absl::string_view FuzzInput::Rest() {
  const absl::string_view rest = rest_;
  rest_ = {};
  return rest;
}

}  // namespace tidegate
