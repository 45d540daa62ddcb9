// Reads a view's rows into the chunks of a snapshot.
#ifndef TIDEGATE_GATEWAY_CORE_CHUNK_SOURCE_H_
#define TIDEGATE_GATEWAY_CORE_CHUNK_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/core/delta_range.h"
#include "gateway/core/finality.h"
#include "gateway/core/snapshot_feed.h"
#include "views/store/read_view.h"

namespace tidegate {

// Thread-compatible: of one step at a time.
class ChunkSource {
 public:
  ChunkSource(const SnapshotRequest& request,
              std::shared_ptr<const ReadView> rows)
      : filter_(*request.filter),
        window_(request.window),
        start_(request.from_start ? filter_.prefix : request.after_key + '\0'),
        rows_(std::move(rows)) {}

  // False once no row is left after those of `chunk`, which may have none.
  absl::StatusOr<bool> Read(SnapshotChunk* chunk, uint64_t* rows_read);

 private:
  const SubscriptionFilter filter_;
  const WindowEnd window_;
  const std::string start_;
  const std::shared_ptr<const ReadView> rows_;
  std::unique_ptr<ViewIterator> iterator_;  // made where it is used
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_CHUNK_SOURCE_H_
