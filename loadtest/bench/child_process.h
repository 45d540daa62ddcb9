// A child process whose output is read and whose CPU is measured.
#ifndef TIDEGATE_LOADTEST_BENCH_CHILD_PROCESS_H_
#define TIDEGATE_LOADTEST_BENCH_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidegate {

// CPU the child used, threads included, up to its end.
struct ChildUsage {
  int exit_code = 0;  // 128 + signal if a signal ended it
  double cpu_s = 0;   // user + system
  double max_rss_mb = 0;
};

// Thread-compatible. A child still running when this dies is killed.
class ChildProcess {
 public:
  // Runs argv (argv[0] is a path); its standard output comes to ReadLine, its
  // standard error to `stderr_path`, or to ours if that is empty.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& argv, const std::string& stderr_path);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The next line of its output, waiting for it; OutOfRange at the end.
  absl::StatusOr<std::string> ReadLine();
  void Signal(int signal);
  // Waits for the end.
  absl::StatusOr<ChildUsage> Wait();

 private:
  ChildProcess(pid_t pid, int out) : pid_(pid), out_(out) {}
  pid_t pid_;
  int out_;
  std::string buffer_;
};

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_CHILD_PROCESS_H_
