// The open database that a RocksDbStore and its snapshots share. Private to
// tidegate_store_rocksdb.
#ifndef TIDEGATE_VIEWS_STORE_ROCKSDB_CORE_H_
#define TIDEGATE_VIEWS_STORE_ROCKSDB_CORE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "rocksdb/db.h"
#include "rocksdb/listener.h"
#include "views/store/rocksdb_store.h"

namespace tidegate {

inline rocksdb::Slice ToSlice(absl::string_view bytes) {
  return rocksdb::Slice(bytes.data(), bytes.size());
}
inline absl::string_view ToView(const rocksdb::Slice& slice) {
  return absl::string_view(slice.data(), slice.size());
}

// RocksDB's status with the directory in front; FailedPrecondition for a
// directory that another process has open.
absl::Status FromRocks(const rocksdb::Status& status, absl::string_view path);

// Tells when background work has changed the files. Thread-safe.
class CompactionSignal : public rocksdb::EventListener {
 public:
  void OnCompactionCompleted(rocksdb::DB* db,
                             const rocksdb::CompactionJobInfo& info) override;
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason,
                         rocksdb::Status* status) override;
  // Until something happened since `seen` (or a second passed); returns what
  // to pass as `seen` next.
  uint64_t Wait(uint64_t seen);

 private:
  Mutex mutex_;
  CondVar changed_;
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Thread-safe.
class RocksCore {
 public:
  static absl::StatusOr<std::shared_ptr<RocksCore>> Open(
      const std::string& path, const RocksDbStoreOptions& options);
  ~RocksCore();
  RocksCore(const RocksCore&) = delete;
  RocksCore& operator=(const RocksCore&) = delete;

  rocksdb::DB* db() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* rows() const { return rows_; }
  rocksdb::ColumnFamilyHandle* log() const { return log_; }
  rocksdb::ColumnFamilyHandle* meta() const { return meta_; }
  const std::string& path() const { return path_; }
  // Where files are built before they are ingested; emptied at open.
  std::string ingest_directory() const { return path_ + "/ingest"; }
  const rocksdb::Options& row_file_options() const { return row_options_; }
  absl::Status Status(const rocksdb::Status& status) const {
    return FromRocks(status, path_);
  }
  // Returns once fewer than `max_files` of rows wait for compaction.
  absl::Status WaitForRowCompaction(int max_files);

 private:
  explicit RocksCore(std::string path) : path_(std::move(path)) {}
  absl::Status OpenDb(const RocksDbStoreOptions& options);
  absl::Status CheckFormat();
  absl::Status EmptyIngestDirectory();

  const std::string path_;
  const std::shared_ptr<CompactionSignal> signal_ =
      std::make_shared<CompactionSignal>();
  rocksdb::Options row_options_;
  std::unique_ptr<rocksdb::DB> db_;
  // Destroyed before db_, through it.
  rocksdb::ColumnFamilyHandle* default_ = nullptr;
  rocksdb::ColumnFamilyHandle* rows_ = nullptr;
  rocksdb::ColumnFamilyHandle* log_ = nullptr;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_ROCKSDB_CORE_H_
