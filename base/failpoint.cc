#include "base/failpoint.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"

namespace tidegate {
namespace {

// What SIGKILL shows as in a shell.
constexpr int kKilledStatus = 137;

struct Armed {
  std::string name;
  std::atomic<int64_t> calls_left{0};
};

// Null if no failpoint is set; lives as long as the process.
Armed* FromEnvironment() {
  const char* text = std::getenv("TIDEGATE_FAILPOINT");
  if (text == nullptr || *text == '\0') return nullptr;
  const absl::string_view value = text;
  const size_t colon = value.rfind(':');
  int64_t count = 0;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(value.substr(colon + 1), &count) || count < 1) {
    std::fprintf(stderr, "TIDEGATE_FAILPOINT is not NAME:COUNT: \"%s\"\n",
                 text);
    std::abort();
  }
  auto* armed = new Armed;
  armed->name = std::string(value.substr(0, colon));
  armed->calls_left = count;
  return armed;
}

}  // namespace

void Failpoint(absl::string_view name) {
  static Armed* const armed = FromEnvironment();
  if (armed == nullptr) [[likely]] {
    return;
  }
  if (name != armed->name) return;
  if (armed->calls_left.fetch_sub(1) == 1) ::_exit(kKilledStatus);
}

}  // namespace tidegate
