// The rows of a pipeline at one commit: what readers hold and writers replace.
#ifndef TIDEGATE_VIEWS_STORE_STORE_VERSION_H_
#define TIDEGATE_VIEWS_STORE_STORE_VERSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "views/store/overlay.h"
#include "views/store/read_view.h"
#include "views/store/store.h"

namespace tidegate {

// Immutable once shared. Rows are those of `base` with `runs` over them; runs
// that only repeat what the base has do no harm.
struct StoreVersion {
  std::shared_ptr<const StoreSnapshot> base;
  Seq base_seq;
  EventTime base_watermark = kNoEventTime;
  OverlayRuns runs;
  size_t overlay_bytes = 0;  // of the runs
  Seq head;
  EventTime watermark = kNoEventTime;  // at head
};

size_t OverlayBytes(const OverlayRuns& runs);

// A row's key in the store: its view, big-endian, then the memcomparable key.
inline constexpr size_t kRowKeyPrefixBytes = 4;
void EncodeRowKey(ViewId view, absl::string_view key, std::string* out);

// Of such a key, for a KeyFilter; the same only within one process.
uint64_t RowKeyHash(absl::string_view row_key);

// What is stored for a key; false if nothing. The entry borrows from `version`
// or from `scratch`.
absl::StatusOr<bool> FindStored(const StoreVersion& version, ViewId view,
                                absl::string_view key, std::string* scratch,
                                StoredEntry* entry);

std::shared_ptr<const ReadView> MakeReadView(
    std::shared_ptr<const StoreVersion> version);

// The rows of runs as a checkpoint writes them; `runs` must outlive it.
std::unique_ptr<RowSource> MakeRowSource(const OverlayRuns* runs);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_STORE_VERSION_H_
