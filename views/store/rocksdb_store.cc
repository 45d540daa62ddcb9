#include "views/store/rocksdb_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/failpoint.h"
#include "base/status_macros.h"
#include "rocksdb/convenience.h"
#include "rocksdb/sst_file_writer.h"
#include "views/store/rocksdb_core.h"

namespace tidegate {
namespace {

// Names given to PutMeta get a prefix that keeps them off this key.
constexpr absl::string_view kCheckpointKey = "checkpoint";
constexpr absl::string_view kMetaPrefix = "name/";
// Rows of a checkpoint are split into files of about this size.
constexpr size_t kMaxIngestFileBytes = 64u << 20;
std::string LogKey(Seq seq) {
  std::string key;
  PutFixed64BigEndian(&key, seq.value());
  return key;
}

absl::StatusOr<Seq> ParseLogKey(absl::string_view key) {
  uint64_t seq = 0;
  if (!GetFixed64BigEndian(&key, &seq) || !key.empty()) {
    return absl::DataLossError("change log has a malformed key");
  }
  return Seq(seq);
}

class RocksIterator : public RowIterator {
 public:
  RocksIterator(const RocksCore* core,
                std::unique_ptr<rocksdb::Iterator> iterator)
      : core_(core), iterator_(std::move(iterator)) {}
  void Seek(absl::string_view key) override { iterator_->Seek(ToSlice(key)); }
  bool Valid() const override { return iterator_->Valid(); }
  void Next() override { iterator_->Next(); }
  absl::string_view key() const override { return ToView(iterator_->key()); }
  absl::string_view value() const override {
    return ToView(iterator_->value());
  }
  absl::Status status() const override {
    return core_->Status(iterator_->status());
  }

 private:
  const RocksCore* const core_;
  const std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksSnapshot : public StoreSnapshot {
 public:
  explicit RocksSnapshot(std::shared_ptr<RocksCore> core)
      : core_(std::move(core)), snapshot_(core_->db()->GetSnapshot()) {
    const rocksdb::Status status = core_->db()->Get(
        Options(), core_->meta(), ToSlice(kCheckpointKey), &checkpoint_);
    if (!status.ok() && !status.IsNotFound()) unreadable_ = status;
  }
  ~RocksSnapshot() override { core_->db()->ReleaseSnapshot(snapshot_); }

  // What cannot be read is not empty: it fails to decode.
  absl::string_view checkpoint() const override {
    return unreadable_.ok() ? absl::string_view(checkpoint_) : "unreadable";
  }
  absl::StatusOr<bool> Get(absl::string_view key,
                           std::string* value) const override {
    const rocksdb::Status status =
        core_->db()->Get(Options(), core_->rows(), ToSlice(key), value);
    if (status.IsNotFound()) return false;
    RETURN_IF_ERROR(core_->Status(status));
    return true;
  }
  std::unique_ptr<RowIterator> NewIterator() const override {
    return std::make_unique<RocksIterator>(
        core_.get(), std::unique_ptr<rocksdb::Iterator>(
                         core_->db()->NewIterator(Options(), core_->rows())));
  }

 private:
  rocksdb::ReadOptions Options() const {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    return options;
  }

  const std::shared_ptr<RocksCore> core_;
  const rocksdb::Snapshot* const snapshot_;
  std::string checkpoint_;
  rocksdb::Status unreadable_;
};

// Writes the files that a checkpoint ingests; deletes what is left of them.
class IngestFiles {
 public:
  explicit IngestFiles(const RocksCore* core) : core_(core) {}
  ~IngestFiles() {
    for (const std::string& path : paths_) {
      core_->row_file_options().env->DeleteFile(path).PermitUncheckedError();
    }
  }

  absl::Status Put(absl::string_view key,
                   const std::optional<absl::string_view>& value) {
    if (writer_ == nullptr) RETURN_IF_ERROR(Open());
    RETURN_IF_ERROR(core_->Status(
        value.has_value() ? writer_->Put(ToSlice(key), ToSlice(*value))
                          : writer_->Delete(ToSlice(key))));
    if (writer_->FileSize() >= kMaxIngestFileBytes) return Close();
    return absl::OkStatus();
  }
  // Finishes, syncing, the file that is being written.
  absl::Status Close() {
    if (writer_ == nullptr) return absl::OkStatus();
    absl::Status status = core_->Status(writer_->Finish());
    writer_.reset();
    return status;
  }
  // Those written since the last call.
  std::vector<std::string> Take() {
    std::vector<std::string> taken(
        paths_.begin() + static_cast<std::ptrdiff_t>(taken_), paths_.end());
    taken_ = paths_.size();
    return taken;
  }

 private:
  absl::Status Open() {
    paths_.push_back(
        absl::StrCat(core_->ingest_directory(), "/", paths_.size(), ".sst"));
    writer_ = std::make_unique<rocksdb::SstFileWriter>(
        rocksdb::EnvOptions(), core_->row_file_options());
    return core_->Status(writer_->Open(paths_.back()));
  }

  const RocksCore* const core_;
  std::vector<std::string> paths_;
  size_t taken_ = 0;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
};

class RocksDbStore : public Store {
 public:
  RocksDbStore(std::shared_ptr<RocksCore> core, int max_uncompacted_row_files)
      : core_(std::move(core)),
        max_uncompacted_row_files_(max_uncompacted_row_files) {}

  absl::Status AppendLog(Seq seq, absl::string_view record) override {
    return core_->Status(core_->db()->Put(rocksdb::WriteOptions(), core_->log(),
                                          ToSlice(LogKey(seq)),
                                          ToSlice(record)));
  }
  absl::Status SyncLog() override {
    return core_->Status(core_->db()->FlushWAL(/*sync=*/true));
  }
  absl::Status ReadLog(
      Seq after,
      absl::FunctionRef<bool(Seq seq, absl::string_view record)> sink) override;
  absl::StatusOr<std::optional<Seq>> FirstLogSeq() override;
  absl::Status TrimLog(Seq through) override;
  absl::Status Checkpoint(RowSource* rows,
                          absl::string_view checkpoint_record) override;
  std::shared_ptr<const StoreSnapshot> Snapshot() override {
    return std::make_shared<RocksSnapshot>(core_);
  }
  absl::Status PutMeta(absl::string_view name,
                       absl::string_view value) override;
  absl::StatusOr<std::optional<std::string>> GetMeta(
      absl::string_view name) override;

 private:
  absl::Status Ingest(const std::vector<std::string>& row_files,
                      const std::vector<std::string>& meta_files);

  const std::shared_ptr<RocksCore> core_;
  const int max_uncompacted_row_files_;
  Mutex mutex_;
  // Records up to here are trimmed, whatever the database still has.
  Seq trimmed_ ABSL_GUARDED_BY(mutex_);
};

absl::Status RocksDbStore::ReadLog(
    Seq after,
    absl::FunctionRef<bool(Seq seq, absl::string_view record)> sink) {
  {
    MutexLock lock(&mutex_);
    after = std::max(after, trimmed_);
  }
  const std::unique_ptr<rocksdb::Iterator> iterator(
      core_->db()->NewIterator(rocksdb::ReadOptions(), core_->log()));
  for (iterator->Seek(ToSlice(LogKey(after.next()))); iterator->Valid();
       iterator->Next()) {
    ASSIGN_OR_RETURN(const Seq seq, ParseLogKey(ToView(iterator->key())));
    if (!sink(seq, ToView(iterator->value()))) return absl::OkStatus();
  }
  return core_->Status(iterator->status());
}

absl::StatusOr<std::optional<Seq>> RocksDbStore::FirstLogSeq() {
  std::optional<Seq> first;
  RETURN_IF_ERROR(ReadLog(Seq(0), [&](Seq seq, absl::string_view) {
    first = seq;
    return false;
  }));
  return first;
}

absl::Status RocksDbStore::TrimLog(Seq through) {
  Seq from;
  {
    MutexLock lock(&mutex_);
    if (through <= trimmed_) return absl::OkStatus();
    from = trimmed_.next();
    trimmed_ = through;
  }
  // Whole files first: that frees space without any compaction.
  const std::string zero = LogKey(Seq(0));
  const std::string begin = LogKey(from);
  const std::string end = LogKey(through.next());
  const rocksdb::Slice zero_slice(zero), end_slice(end);
  RETURN_IF_ERROR(core_->Status(rocksdb::DeleteFilesInRange(
      core_->db(), core_->log(), &zero_slice, &end_slice,
      /*include_end=*/false)));
  return core_->Status(core_->db()->DeleteRange(
      rocksdb::WriteOptions(), core_->log(), ToSlice(begin), end_slice));
}

absl::Status RocksDbStore::Checkpoint(RowSource* rows,
                                      absl::string_view checkpoint_record) {
  RETURN_IF_ERROR(core_->WaitForRowCompaction(max_uncompacted_row_files_));
  IngestFiles files(core_.get());
  absl::string_view key;
  std::optional<absl::string_view> value;
  while (rows->Next(&key, &value)) {
    RETURN_IF_ERROR_CTX(files.Put(key, value), "rows of a checkpoint");
  }
  RETURN_IF_ERROR(files.Close());
  const std::vector<std::string> row_files = files.Take();
  RETURN_IF_ERROR(files.Put(kCheckpointKey, checkpoint_record));
  RETURN_IF_ERROR(files.Close());
  Failpoint("checkpoint.before_ingest");
  return Ingest(row_files, files.Take());
}

absl::Status RocksDbStore::Ingest(const std::vector<std::string>& row_files,
                                  const std::vector<std::string>& meta_files) {
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.failed_move_fall_back_to_copy = true;
  options.write_global_seqno = false;
  std::vector<rocksdb::IngestExternalFileArg> args;
  if (!row_files.empty()) {
    args.emplace_back();
    args.back().column_family = core_->rows();
    args.back().external_files = row_files;
    args.back().options = options;
  }
  args.emplace_back();
  args.back().column_family = core_->meta();
  args.back().external_files = meta_files;
  args.back().options = options;
  return core_->Status(core_->db()->IngestExternalFiles(args));
}

absl::Status RocksDbStore::PutMeta(absl::string_view name,
                                   absl::string_view value) {
  rocksdb::WriteOptions options;
  options.sync = true;
  return core_->Status(core_->db()->Put(
      options, core_->meta(), absl::StrCat(kMetaPrefix, name), ToSlice(value)));
}

absl::StatusOr<std::optional<std::string>> RocksDbStore::GetMeta(
    absl::string_view name) {
  std::string value;
  const rocksdb::Status status =
      core_->db()->Get(rocksdb::ReadOptions(), core_->meta(),
                       absl::StrCat(kMetaPrefix, name), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(core_->Status(status));
  return std::optional<std::string>(std::move(value));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenRocksDbStore(
    const std::string& path, const RocksDbStoreOptions& options) {
  ASSIGN_OR_RETURN(std::shared_ptr<RocksCore> core,
                   RocksCore::Open(path, options));
  return std::make_unique<RocksDbStore>(std::move(core),
                                        options.max_uncompacted_row_files);
}

}  // namespace tidegate
