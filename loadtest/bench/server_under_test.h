// `tidegate serve` with its defaults, as a child process, over a benchmark's
// views.
#ifndef TIDEGATE_LOADTEST_BENCH_SERVER_UNDER_TEST_H_
#define TIDEGATE_LOADTEST_BENCH_SERVER_UNDER_TEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/child_process.h"

namespace tidegate {

// What lies beside each other when `serve` reads kBenchViewsFile: name, text.
using BenchFiles = std::vector<std::pair<std::string, std::string>>;
inline constexpr char kBenchViewsFile[] = "views.sql";

absl::Status WriteBenchFiles(const std::string& dir, const BenchFiles& files);

// Thread-compatible. Its files are under a directory of its own, removed at
// the end.
class ServerUnderTest {
 public:
  static absl::StatusOr<std::unique_ptr<ServerUnderTest>> Start(
      const std::string& bootstrap_servers, const BenchFiles& files);
  ~ServerUnderTest();

  const std::string& grpc_address() const { return grpc_address_; }
  // Records folded and committed so far, from /metrics.
  absl::StatusOr<int64_t> Records() const;
  // SIGTERM: drain, final checkpoint; then what it used in all.
  absl::StatusOr<ChildUsage> Stop();

 private:
  ServerUnderTest() = default;
  std::string dir_;
  std::string grpc_address_;
  std::string http_address_;
  std::unique_ptr<ChildProcess> child_;
};

// The body of an HTTP GET from HOST:PORT on this machine.
absl::StatusOr<std::string> HttpGet(const std::string& address,
                                    const std::string& path);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_SERVER_UNDER_TEST_H_
