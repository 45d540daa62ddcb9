// The read views of scans under way, so that their pages show one position.
#ifndef TIDEGATE_GATEWAY_GRPC_SCANS_H_
#define TIDEGATE_GATEWAY_GRPC_SCANS_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "views/store/read_view.h"

namespace tidegate {

// What a page token says. Opaque, checksummed, printable text.
struct PageToken {
  uint64_t view_hash = 0;
  std::string incarnation;
  Seq seq;
  std::string last_key;
};
std::string EncodePageToken(const PageToken& token);
// InvalidArgument if malformed.
absl::StatusOr<PageToken> DecodePageToken(absl::string_view text);

// Keeps at most `max_open` views, each for at most `max_age_ms` after the first
// page; the least recently used goes first. Scans of one pipeline at one
// position share a view. Thread-safe.
class OpenScans {
 public:
  OpenScans(size_t max_open, int64_t max_age_ms)
      : max_open_(max_open), max_age_ms_(max_age_ms) {}

  void Keep(const void* pipeline, std::shared_ptr<const ReadView> view,
            ProcessingTime now);
  // Null if it is gone.
  std::shared_ptr<const ReadView> Find(const void* pipeline, Seq seq,
                                       ProcessingTime now);
  // Lets go of what is too old.
  void Expire(ProcessingTime now);

 private:
  struct Scan {
    const void* pipeline;
    std::shared_ptr<const ReadView> view;
    ProcessingTime opened;
  };
  void ExpireLocked(ProcessingTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_open_;
  const int64_t max_age_ms_;
  Mutex mutex_;
  std::list<Scan> scans_ ABSL_GUARDED_BY(mutex_);  // last used first
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SCANS_H_
