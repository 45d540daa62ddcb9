// The seam to files that the reorder buffer spills to: sequential, private to
// one process, gone with it.
#ifndef TIDEGATE_INGEST_LOOP_SPILL_FILES_H_
#define TIDEGATE_INGEST_LOOP_SPILL_FILES_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// Written once from front to back, then read once from front to back. Removed
// when it is destroyed. Runs on one thread.
class SpillFile {
 public:
  virtual ~SpillFile() = default;
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // After the last Append, before the first Read.
  virtual absl::Status Finish() = 0;
  // Fills `out` with the next `size` bytes, fewer only at the end.
  virtual absl::Status Read(size_t size, std::string* out) = 0;
};

// Runs on one thread.
class SpillFiles {
 public:
  virtual ~SpillFiles() = default;
  virtual absl::StatusOr<std::unique_ptr<SpillFile>> Create() = 0;
};

// Files in `directory`, which is made, and emptied of what a dead process left.
absl::StatusOr<std::unique_ptr<SpillFiles>> OpenSpillDirectory(
    std::string directory);
// In memory, for tests and the simulation.
std::unique_ptr<SpillFiles> MakeMemorySpill();

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_SPILL_FILES_H_
