#include "views/store/rocksdb_core.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "rocksdb/convenience.h"
#include "rocksdb/env.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/table.h"

namespace tidegate {
namespace {

constexpr double kBloomBitsPerKey = 10;
constexpr size_t kBlockBytes = 8u << 10;
constexpr size_t kMetaBufferBytes = 1u << 20;
constexpr int kBackgroundJobs = 2;
constexpr int kLogBuffers = 3;
constexpr int kNever = 1 << 30;
// How the store is laid out; in column family meta.
constexpr char kFormatKey[] = "format";
constexpr char kFormat[] = "1";
constexpr auto kCompactionPoll = std::chrono::seconds(1);

rocksdb::CompressionType BestCompression() {
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(supported.begin(), supported.end(),
                             rocksdb::kLZ4Compression) != supported.end();
  return lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

// Stalls are database-wide: debt in compacting rows must not stop the log.
void NeverStall(rocksdb::ColumnFamilyOptions* options) {
  options->level0_slowdown_writes_trigger = kNever;
  options->level0_stop_writes_trigger = kNever;
  options->soft_pending_compaction_bytes_limit = 0;
  options->hard_pending_compaction_bytes_limit = 0;
}

rocksdb::ColumnFamilyOptions RowOptions(const RocksDbStoreOptions& options) {
  rocksdb::ColumnFamilyOptions rows;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  table.block_size = kBlockBytes;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  rows.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rows.compression = BestCompression();
  rows.level_compaction_dynamic_level_bytes = true;
  NeverStall(&rows);
  return rows;
}

rocksdb::ColumnFamilyOptions LogOptions(const RocksDbStoreOptions& options) {
  rocksdb::ColumnFamilyOptions log;
  rocksdb::BlockBasedTableOptions table;
  // Read once and in order: the rows need the cache more.
  table.no_block_cache = true;
  table.block_size = 4 * kBlockBytes;
  log.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  log.write_buffer_size = options.log_buffer_bytes;
  log.max_write_buffer_number = kLogBuffers;
  // Written once, read seldom and bounded in bytes: not worth the cycles.
  log.compression = rocksdb::kNoCompression;
  NeverStall(&log);
  return log;
}

rocksdb::DBOptions DatabaseOptions(const RocksDbStoreOptions& options) {
  rocksdb::DBOptions db;
  if (options.env != nullptr) db.env = options.env;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.max_total_wal_size = options.max_wal_bytes;
  db.max_background_jobs = kBackgroundJobs;
  // What follows a torn record was never synced.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.keep_log_file_num = 2;
  return db;
}

}  // namespace

absl::Status FromRocks(const rocksdb::Status& status, absl::string_view path) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  if (status.IsIOError() && absl::StrContains(text, "/LOCK")) {
    return absl::FailedPreconditionError(
        absl::StrCat("data directory is in use by another process: ", path));
  }
  const std::string message = absl::StrCat("store=", path, ": ", text);
  if (status.IsCorruption()) return absl::DataLossError(message);
  if (status.IsNotFound()) return absl::NotFoundError(message);
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(message);
  if (status.IsInvalidArgument()) return absl::InvalidArgumentError(message);
  if (status.IsBusy() || status.IsTimedOut() || status.IsTryAgain()) {
    return absl::UnavailableError(message);
  }
  return absl::InternalError(message);
}

void CompactionSignal::OnCompactionCompleted(
    rocksdb::DB* /*db*/, const rocksdb::CompactionJobInfo& /*info*/) {
  MutexLock lock(&mutex_);
  ++count_;
  changed_.SignalAll();
}

void CompactionSignal::OnBackgroundError(
    rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status* /*status*/) {
  MutexLock lock(&mutex_);
  ++count_;
  changed_.SignalAll();
}

uint64_t CompactionSignal::Wait(uint64_t seen) {
  MutexLock lock(&mutex_);
  if (count_ == seen) changed_.WaitFor(&mutex_, kCompactionPoll);
  return count_;
}

absl::StatusOr<std::shared_ptr<RocksCore>> RocksCore::Open(
    const std::string& path, const RocksDbStoreOptions& options) {
  // The constructor is private, which make_shared cannot reach.
  std::shared_ptr<RocksCore> core(new RocksCore(path));
  RETURN_IF_ERROR(core->OpenDb(options));
  RETURN_IF_ERROR(core->CheckFormat());
  // Only now: the directory is locked.
  RETURN_IF_ERROR(core->EmptyIngestDirectory());
  return core;
}

absl::Status RocksCore::OpenDb(const RocksDbStoreOptions& options) {
  rocksdb::DBOptions db_options = DatabaseOptions(options);
  db_options.listeners.push_back(signal_);
  const rocksdb::ColumnFamilyOptions rows = RowOptions(options);
  row_options_ = rocksdb::Options(db_options, rows);
  rocksdb::ColumnFamilyOptions meta;
  meta.write_buffer_size = kMetaBufferBytes;
  NeverStall(&meta);
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, meta},
      {"rows", rows},
      {"log", LogOptions(options)},
      {"meta", meta},
  };
  RETURN_IF_ERROR(Status(row_options_.env->CreateDirIfMissing(path_)));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(
      Status(rocksdb::DB::Open(db_options, path_, families, &handles, &db)));
  db_.reset(db);
  default_ = handles[0];
  rows_ = handles[1];
  log_ = handles[2];
  meta_ = handles[3];
  return absl::OkStatus();
}

// Also makes sure that there was one write before any snapshot: RocksDB 7.8
// does not keep what only a snapshot at sequence 0 sees, and ingesting into an
// empty database leaves it there.
absl::Status RocksCore::CheckFormat() {
  std::string format;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), meta_, kFormatKey, &format);
  if (status.IsNotFound()) {
    rocksdb::WriteOptions options;
    options.sync = true;
    return Status(db_->Put(options, meta_, kFormatKey, kFormat));
  }
  RETURN_IF_ERROR(Status(status));
  if (format == kFormat) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "store=", path_, ": its format is not known to this version: ", format));
}

RocksCore::~RocksCore() {
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* family : {default_, rows_, log_, meta_}) {
    if (family != nullptr) {
      db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    }
  }
}

absl::Status RocksCore::EmptyIngestDirectory() {
  rocksdb::Env* const env = row_options_.env;
  RETURN_IF_ERROR(Status(env->CreateDirIfMissing(ingest_directory())));
  std::vector<std::string> leftovers;
  RETURN_IF_ERROR(Status(env->GetChildren(ingest_directory(), &leftovers)));
  for (const std::string& name : leftovers) {
    if (name == "." || name == "..") continue;
    RETURN_IF_ERROR(Status(env->DeleteFile(ingest_directory() + "/" + name)));
  }
  return absl::OkStatus();
}

absl::Status RocksCore::WaitForRowCompaction(int max_files) {
  uint64_t seen = 0;
  while (true) {
    uint64_t files = 0;
    std::string text;
    if (!db_->GetProperty(rows_, "rocksdb.num-files-at-level0", &text) ||
        !absl::SimpleAtoi(text, &files)) {
      return absl::InternalError(
          absl::StrCat("store=", path_, ": files of rows cannot be counted"));
    }
    if (files < static_cast<uint64_t>(max_files)) return absl::OkStatus();
    uint64_t errors = 0;
    if (db_->GetIntProperty(rocksdb::DB::Properties::kBackgroundErrors,
                            &errors) &&
        errors > 0) {
      return absl::InternalError(absl::StrCat(
          "store=", path_, ": compaction of rows failed: errors=", errors));
    }
    seen = signal_->Wait(seen);
  }
}

}  // namespace tidegate
