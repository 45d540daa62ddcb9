// A child process whose output is read and whose CPU is measured.
#ifndef TIDEGATE_BASE_CHILD_PROCESS_H_
#define TIDEGATE_BASE_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidegate {

// This very binary's path; "" if it cannot be known.
std::string OwnBinary();

struct ChildOptions {
  std::string stderr_path;  // appended to; empty: our standard error
  // Its standard input is a pipe that stays empty until CloseInput; else ours.
  bool pipe_input = false;
};

// CPU the child used, threads included, up to its end.
struct ChildUsage {
  int exit_code = 0;  // 128 + signal if a signal ended it
  double cpu_s = 0;   // user + system
  double max_rss_mb = 0;
};

// Thread-compatible, except that CloseInput and Signal may run beside ReadLine.
// A child still running when this dies is killed.
class ChildProcess {
 public:
  // Runs argv (argv[0] is a path).
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& argv, const ChildOptions& options = {});
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The next line of its output, waiting for it; OutOfRange at the end, where
  // what has no '\n' is dropped.
  absl::StatusOr<std::string> ReadLine();
  void CloseInput();
  void Signal(int signal);
  // Waits for the end. FailedPrecondition if it was waited for before.
  absl::StatusOr<ChildUsage> Wait();

 private:
  ChildProcess(pid_t pid, int to_child, int from_child)
      : pid_(pid), to_child_(to_child), from_child_(from_child) {}
  pid_t pid_;     // 0 after Wait
  int to_child_;  // -1: none, or closed
  const int from_child_;
  std::string buffer_;
};

}  // namespace tidegate

#endif  // TIDEGATE_BASE_CHILD_PROCESS_H_
