// A RocksDB file system for tests that loses what was not synced, as a machine
// does when its power goes.
#ifndef TIDEGATE_VIEWS_STORE_LOSSY_FILE_SYSTEM_TESTING_H_
#define TIDEGATE_VIEWS_STORE_LOSSY_FILE_SYSTEM_TESTING_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace tidegate {

// Over RocksDB's file system in memory. Files written are remembered with the
// length that was synced; a new file's name is safe once the file or its
// directory was synced. Thread-safe.
class LossyFileSystem : public rocksdb::FileSystemWrapper {
 public:
  static std::shared_ptr<LossyFileSystem> Create();
  const char* Name() const override { return "LossyFileSystem"; }

  // From now on nothing that would change a file does, and says so: the
  // machine is down. Close the database, then call PowerOn.
  void PowerOff();
  // The power goes at the `count`-th change of a file from now.
  void PowerOffAfter(uint64_t count);
  bool is_off() const;
  // Changes of files so far.
  uint64_t changes() const;
  // What was not synced is gone, but for a part that `kept(size)` says of each
  // file's `size` unsynced bytes (at most all of them).
  absl::Status PowerOn(const std::function<uint64_t(uint64_t size)>& kept);
  // Everything is as it was written: only a process had died.
  void PowerOnIntact();

  rocksdb::IOStatus NewWritableFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReuseWritableFile(
      const std::string& path, const std::string& old_path,
      const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(
      const std::string& path, const rocksdb::IOOptions& options,
      std::unique_ptr<rocksdb::FSDirectory>* directory,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class Directory;
  // What is known of the bytes of a file; links share it.
  struct Content {
    uint64_t written = 0;
    uint64_t synced = 0;
  };
  struct Entry {
    std::shared_ptr<Content> content;
    bool name_is_safe = false;
  };

  explicit LossyFileSystem(std::unique_ptr<rocksdb::Env> memory);
  // Counts a change; an error if the power is off or goes with it.
  rocksdb::IOStatus Change();
  void Wrote(Content* content, uint64_t end);
  void Synced(const std::string& path, Content* content);
  void DirectorySynced(const std::string& directory);
  absl::Status Cut(const std::string& path, uint64_t size);

  const std::unique_ptr<rocksdb::Env> memory_;
  mutable Mutex mutex_;
  bool off_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t off_at_ ABSL_GUARDED_BY(mutex_) = UINT64_MAX;
  std::map<std::string, Entry> files_ ABSL_GUARDED_BY(mutex_);
};

// An environment on `files`, whose clock cuts sleeps short: RocksDB waits for a
// second after every background error, and a crash makes many.
std::unique_ptr<rocksdb::Env> NewLossyEnv(
    std::shared_ptr<LossyFileSystem> files);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_LOSSY_FILE_SYSTEM_TESTING_H_
