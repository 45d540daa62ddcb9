#include "gateway/core/chunk_source.h"

#include <utility>

#include "absl/strings/match.h"
#include "base/status_macros.h"
#include "gateway/core/response.h"
#include "gateway/core/subscription.h"
#include "views/sql/row_filter.h"

namespace tidegate {

absl::StatusOr<bool> ChunkSource::Read(SnapshotChunk* chunk,
                                       uint64_t* rows_read) {
  if (iterator_ == nullptr) {
    iterator_ = rows_->NewIterator(filter_.view);
    iterator_->Seek(start_);
  }
  std::string bytes;
  bytes.reserve(kMaxMessageBytes + (kMaxMessageBytes >> 4));
  ResponseBuilder builder(&bytes);
  size_t scanned = 0;
  bool more = true;
  while (bytes.size() < kMaxMessageBytes && scanned < kMaxChunkScanBytes) {
    more = iterator_->Valid() &&
           absl::StartsWith(iterator_->key(), filter_.prefix);
    if (!more) break;
    ++*rows_read;
    const StoredEntry& entry = iterator_->entry();
    const absl::string_view key = iterator_->key();
    scanned += key.size() + entry.row.size();
    bool matches = true;
    if (filter_.where != nullptr) {
      ASSIGN_OR_RETURN(matches, filter_.where->Matches(entry.row));
    }
    if (matches) {
      builder.AddUpsert(
          entry.row,
          FinalityOf(window_, entry.row, entry.corrected, rows_->watermark()));
    }
    chunk->last_key.assign(key.data(), key.size());
    iterator_->Next();
  }
  RETURN_IF_ERROR(iterator_->status());
  chunk->rows = builder.changes();
  if (chunk->rows > 0) {
    chunk->changes = std::make_shared<const std::string>(std::move(bytes));
  }
  return more;
}

}  // namespace tidegate
