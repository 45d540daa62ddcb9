// A process that reads lines from us and answers with lines.
#ifndef TIDEGATE_CMD_TIDEGATE_DEMO_CHILD_H_
#define TIDEGATE_CMD_TIDEGATE_DEMO_CHILD_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tidegate {

// This very binary's path.
std::string OwnBinary();

// Thread-compatible, except that ReadLine may run beside CloseInput.
class Child {
 public:
  static absl::StatusOr<std::unique_ptr<Child>> Start(
      const std::string& binary, const std::vector<std::string>& arguments);
  // Closes its input and waits for it to end.
  ~Child();

  // Blocks; false when it has closed its output. The line has no '\n'.
  bool ReadLine(std::string* line);
  void CloseInput();

 private:
  Child(pid_t pid, int to_child, int from_child)
      : pid_(pid), to_child_(to_child), from_child_(from_child) {}
  const pid_t pid_;
  int to_child_;
  const int from_child_;
  std::string buffer_;
};

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_DEMO_CHILD_H_
