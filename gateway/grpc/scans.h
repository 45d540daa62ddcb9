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
  // Fnv1a64 of the view's name and of what its rows are chosen by.
  uint64_t view_hash = 0;
  uint64_t prefix_hash = 0;
  uint64_t where_hash = 0;
  std::string incarnation;
  Seq seq;
  std::string last_key;  // that the page looked at, memcomparable
};
std::string EncodePageToken(const PageToken& token);
// InvalidArgument if malformed.
absl::StatusOr<PageToken> DecodePageToken(absl::string_view text);

// The rows that the pages of a scan show.
struct OpenScan {
  std::shared_ptr<const ReadView> rows;
  ProcessingTime opened;  // by the first page
};

// Keeps at most `max_open` views, each for at most `max_age_ms` after the first
// page; the least recently used goes first. Scans of one pipeline at one
// position share a view, for as long as the latest of them may. Thread-safe.
class OpenScans {
 public:
  OpenScans(size_t max_open, int64_t max_age_ms)
      : max_open_(max_open), max_age_ms_(max_age_ms) {}

  // A scan's first page keeps it with `opened` now, others as they found it.
  void Keep(const void* pipeline, OpenScan scan, ProcessingTime now);
  // Without rows if it is gone.
  OpenScan Find(const void* pipeline, Seq seq, ProcessingTime now);
  // Lets go of what is too old.
  void Expire(ProcessingTime now);

 private:
  struct Kept {
    const void* pipeline;
    OpenScan scan;
  };
  // End of the list if there is none.
  std::list<Kept>::iterator At(const void* pipeline, Seq seq)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ExpireLocked(ProcessingTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_open_;
  const int64_t max_age_ms_;
  Mutex mutex_;
  std::list<Kept> scans_ ABSL_GUARDED_BY(mutex_);  // last used first
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SCANS_H_
