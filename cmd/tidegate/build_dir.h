// Where a pipeline's builds lie: DATA_DIR/<pipeline>/<build>/, with a file
// DATA_DIR/<pipeline>/CURRENT that names the one that counts, and a file LOCK
// that keeps a second process out.
#ifndef TIDEGATE_CMD_TIDEGATE_BUILD_DIR_H_
#define TIDEGATE_CMD_TIDEGATE_BUILD_DIR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidegate {

// One pipeline's directory, this process's alone. Thread-compatible.
class BuildDirectory {
 public:
  // Creates DATA_DIR/<pipeline>/ if it is not there. Aborted if another process
  // has it open: builds would be removed under its feet.
  static absl::StatusOr<BuildDirectory> Open(const std::string& data_dir,
                                             const std::string& pipeline);

  // What CURRENT names; nullopt only if there is no CURRENT. DataLoss if it
  // does not hold a number.
  absl::StatusOr<std::optional<uint64_t>> Current() const;
  // Replaces CURRENT in one durable step.
  absl::Status SetCurrent(uint64_t build) const;

  std::string PathOf(uint64_t build) const;
  // For what does not outlive the process.
  std::string SpillPath() const { return path_ + "/spill"; }
  bool Exists(uint64_t build) const;
  absl::Status Remove(uint64_t build) const;
  // Removes every build but `kept`: what interrupted rebuilds left behind.
  absl::Status RemoveOthers(uint64_t kept) const;

 private:
  // Holds LOCK as long as it lives.
  class Lock {
   public:
    explicit Lock(int fd) : fd_(fd) {}
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    const int fd_;
  };

  BuildDirectory(std::string path, std::unique_ptr<Lock> lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  std::unique_ptr<Lock> lock_;
};

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_BUILD_DIR_H_
