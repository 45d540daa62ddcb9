// The Store on RocksDB: column families rows, log and meta.
#ifndef TIDEGATE_VIEWS_STORE_ROCKSDB_STORE_H_
#define TIDEGATE_VIEWS_STORE_ROCKSDB_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "views/store/store.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace tidegate {

struct RocksDbStoreOptions {
  // Must outlive the store and its snapshots; null is the system's.
  rocksdb::Env* env = nullptr;
  // For blocks of rows.
  size_t block_cache_bytes = 128u << 20;
  // The log's table in memory; there are up to three of them.
  size_t log_buffer_bytes = 32u << 20;
  // Write-ahead logs beyond this are made superfluous by flushing.
  size_t max_wal_bytes = 256u << 20;
  // A checkpoint waits while this many files of rows wait for compaction.
  int max_uncompacted_row_files = 32;
};

// Opens or creates the store in the directory `path`. FailedPrecondition if
// another process has it open. Snapshots keep the directory open beyond the
// store's life.
absl::StatusOr<std::unique_ptr<Store>> OpenRocksDbStore(
    const std::string& path, const RocksDbStoreOptions& options);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_ROCKSDB_STORE_H_
