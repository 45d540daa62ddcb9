// Where a pipeline's builds lie: DATA_DIR/<pipeline>/<build>/, with a file
// DATA_DIR/<pipeline>/CURRENT that names the one that counts.
#ifndef TIDEGATE_CMD_TIDEGATE_BUILD_DIR_H_
#define TIDEGATE_CMD_TIDEGATE_BUILD_DIR_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidegate {

// One pipeline's directory. Thread-compatible.
class BuildDirectory {
 public:
  // Creates DATA_DIR/<pipeline>/ if it is not there.
  static absl::StatusOr<BuildDirectory> Open(const std::string& data_dir,
                                             const std::string& pipeline);

  // What CURRENT names; nullopt if there is no CURRENT. DataLoss if it does
  // not hold a number.
  absl::StatusOr<std::optional<uint64_t>> Current() const;
  // Replaces CURRENT in one durable step.
  absl::Status SetCurrent(uint64_t build) const;

  std::string PathOf(uint64_t build) const;
  bool Exists(uint64_t build) const;
  absl::Status Remove(uint64_t build) const;
  // Removes every build but `kept`: what interrupted rebuilds left behind.
  absl::Status RemoveOthers(uint64_t kept) const;

 private:
  explicit BuildDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_BUILD_DIR_H_
