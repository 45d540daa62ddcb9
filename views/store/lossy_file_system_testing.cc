#include "views/store/lossy_file_system_testing.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rocksdb/system_clock.h"

namespace tidegate {
namespace {

std::string DirectoryOf(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

constexpr int kLongestSleepUs = 100;

class ImpatientClock : public rocksdb::SystemClockWrapper {
 public:
  ImpatientClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "ImpatientClock"; }
  void SleepForMicroseconds(int micros) override {
    SystemClockWrapper::SleepForMicroseconds(std::min(micros, kLongestSleepUs));
  }
};

class LossyEnv : public rocksdb::EnvWrapper {
 public:
  explicit LossyEnv(const std::shared_ptr<rocksdb::FileSystem>& files)
      : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    file_system_ = files;
    system_clock_ = std::make_shared<ImpatientClock>();
  }
};

rocksdb::IOStatus PowerIsOff() {
  return rocksdb::IOStatus::IOError("the power is off");
}

}  // namespace

class LossyFileSystem::File : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(LossyFileSystem* owner, std::string path,
       std::shared_ptr<Content> content,
       std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)),
        owner_(owner),
        path_(std::move(path)),
        content_(std::move(content)) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data,
                           const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = owner_->Change();
    if (!status.ok()) return status;
    status = FSWritableFileOwnerWrapper::Append(data, options, debug);
    if (status.ok()) size_ += data.size();
    owner_->Wrote(content_.get(), size_);
    return status;
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data,
                           const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& /*info*/,
                           rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  rocksdb::IOStatus Truncate(uint64_t size, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = owner_->Change();
    if (!status.ok()) return status;
    return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& /*options*/,
                         rocksdb::IODebugContext* /*debug*/) override {
    rocksdb::IOStatus status = owner_->Change();
    if (status.ok()) owner_->Synced(path_, content_.get());
    return status;
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    return Sync(options, debug);
  }
  bool IsSyncThreadSafe() const override { return true; }

 private:
  LossyFileSystem* const owner_;
  const std::string path_;
  const std::shared_ptr<Content> content_;
  uint64_t size_ = 0;
};

class LossyFileSystem::Directory : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(LossyFileSystem* owner, std::string path,
            std::unique_ptr<rocksdb::FSDirectory> directory)
      : FSDirectoryWrapper(std::move(directory)),
        owner_(owner),
        path_(std::move(path)) {}
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& /*options*/,
                          rocksdb::IODebugContext* /*debug*/) override {
    rocksdb::IOStatus status = owner_->Change();
    if (status.ok()) owner_->DirectorySynced(path_);
    return status;
  }
  rocksdb::IOStatus FsyncWithDirOptions(
      const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
      const rocksdb::DirFsyncOptions& /*how*/) override {
    return Fsync(options, debug);
  }

 private:
  LossyFileSystem* const owner_;
  const std::string path_;
};

std::shared_ptr<LossyFileSystem> LossyFileSystem::Create() {
  std::unique_ptr<rocksdb::Env> memory(
      rocksdb::NewMemEnv(rocksdb::Env::Default()));
  // The constructor is private, which make_shared cannot reach.
  return std::shared_ptr<LossyFileSystem>(
      new LossyFileSystem(std::move(memory)));
}

LossyFileSystem::LossyFileSystem(std::unique_ptr<rocksdb::Env> memory)
    : FileSystemWrapper(memory->GetFileSystem()), memory_(std::move(memory)) {}

void LossyFileSystem::PowerOff() {
  MutexLock lock(&mutex_);
  off_ = true;
}

void LossyFileSystem::PowerOffAfter(uint64_t count) {
  MutexLock lock(&mutex_);
  off_at_ = changes_ + count;
}

bool LossyFileSystem::is_off() const {
  MutexLock lock(&mutex_);
  return off_;
}

uint64_t LossyFileSystem::changes() const {
  MutexLock lock(&mutex_);
  return changes_;
}

rocksdb::IOStatus LossyFileSystem::Change() {
  MutexLock lock(&mutex_);
  if (++changes_ >= off_at_) off_ = true;
  return off_ ? PowerIsOff() : rocksdb::IOStatus::OK();
}

void LossyFileSystem::PowerOnIntact() {
  MutexLock lock(&mutex_);
  off_ = false;
  off_at_ = UINT64_MAX;
}

absl::Status LossyFileSystem::PowerOn(
    const std::function<uint64_t(uint64_t size)>& kept) {
  PowerOnIntact();
  std::map<std::string, Entry> files;
  {
    MutexLock lock(&mutex_);
    files.swap(files_);
  }
  for (auto& [path, entry] : files) {
    Content& content = *entry.content;
    const uint64_t lost = content.written - content.synced;
    const uint64_t size = content.synced + std::min(lost, kept(lost));
    if (!entry.name_is_safe) {
      target()
          ->DeleteFile(path, rocksdb::IOOptions(), nullptr)
          .PermitUncheckedError();
      continue;
    }
    if (lost > 0) {
      absl::Status status = Cut(path, size);
      if (!status.ok()) return status;
    }
    MutexLock lock(&mutex_);
    files_[path] = {std::make_shared<Content>(Content{size, size}), true};
  }
  return absl::OkStatus();
}

absl::Status LossyFileSystem::Cut(const std::string& path, uint64_t size) {
  std::string bytes;
  rocksdb::Status status =
      rocksdb::ReadFileToString(memory_.get(), path, &bytes);
  if (status.ok()) {
    bytes.resize(std::min<uint64_t>(bytes.size(), size));
    status = memory_->DeleteFile(path);
  }
  if (status.ok()) {
    status = rocksdb::WriteStringToFile(memory_.get(), bytes, path,
                                        /*should_sync=*/true);
  }
  if (status.ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(path, ": ", status.ToString()));
}

void LossyFileSystem::Wrote(Content* content, uint64_t end) {
  MutexLock lock(&mutex_);
  content->written = std::max(content->written, end);
}

void LossyFileSystem::Synced(const std::string& path, Content* content) {
  MutexLock lock(&mutex_);
  content->synced = content->written;
  const auto found = files_.find(path);
  if (found != files_.end()) found->second.name_is_safe = true;
}

void LossyFileSystem::DirectorySynced(const std::string& directory) {
  MutexLock lock(&mutex_);
  for (auto& [path, entry] : files_) {
    if (DirectoryOf(path) == directory) entry.name_is_safe = true;
  }
}

rocksdb::IOStatus LossyFileSystem::NewWritableFile(
    const std::string& path, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSWritableFile>* file,
    rocksdb::IODebugContext* debug) {
  rocksdb::IOStatus status = Change();
  if (!status.ok()) return status;
  std::unique_ptr<rocksdb::FSWritableFile> inner;
  status = target()->NewWritableFile(path, options, &inner, debug);
  if (!status.ok()) return status;
  auto content = std::make_shared<Content>();
  {
    MutexLock lock(&mutex_);
    files_[path] = {content, false};
  }
  *file = std::make_unique<File>(this, path, content, std::move(inner));
  return status;
}

rocksdb::IOStatus LossyFileSystem::ReopenWritableFile(
    const std::string& /*path*/, const rocksdb::FileOptions& /*options*/,
    std::unique_ptr<rocksdb::FSWritableFile>* /*file*/,
    rocksdb::IODebugContext* /*debug*/) {
  return rocksdb::IOStatus::NotSupported("reopening is not followed");
}

rocksdb::IOStatus LossyFileSystem::ReuseWritableFile(
    const std::string& /*path*/, const std::string& /*old_path*/,
    const rocksdb::FileOptions& /*options*/,
    std::unique_ptr<rocksdb::FSWritableFile>* /*file*/,
    rocksdb::IODebugContext* /*debug*/) {
  return rocksdb::IOStatus::NotSupported("reusing is not followed");
}

rocksdb::IOStatus LossyFileSystem::NewDirectory(
    const std::string& path, const rocksdb::IOOptions& options,
    std::unique_ptr<rocksdb::FSDirectory>* directory,
    rocksdb::IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> inner;
  rocksdb::IOStatus status =
      target()->NewDirectory(path, options, &inner, debug);
  if (status.ok()) {
    *directory = std::make_unique<Directory>(this, path, std::move(inner));
  }
  return status;
}

rocksdb::IOStatus LossyFileSystem::DeleteFile(const std::string& path,
                                              const rocksdb::IOOptions& options,
                                              rocksdb::IODebugContext* debug) {
  rocksdb::IOStatus status = Change();
  if (!status.ok()) return status;
  {
    MutexLock lock(&mutex_);
    files_.erase(path);
  }
  return target()->DeleteFile(path, options, debug);
}

std::unique_ptr<rocksdb::Env> NewLossyEnv(
    std::shared_ptr<LossyFileSystem> files) {
  return std::make_unique<LossyEnv>(std::move(files));
}

// A rename replaces a name at once and for good, as journals have it.
rocksdb::IOStatus LossyFileSystem::RenameFile(const std::string& from,
                                              const std::string& to,
                                              const rocksdb::IOOptions& options,
                                              rocksdb::IODebugContext* debug) {
  rocksdb::IOStatus status = Change();
  if (!status.ok()) return status;
  {
    MutexLock lock(&mutex_);
    const auto found = files_.find(from);
    if (found != files_.end()) {
      files_[to] = found->second;
      files_.erase(from);
    }
  }
  return target()->RenameFile(from, to, options, debug);
}

rocksdb::IOStatus LossyFileSystem::LinkFile(const std::string& from,
                                            const std::string& to,
                                            const rocksdb::IOOptions& options,
                                            rocksdb::IODebugContext* debug) {
  rocksdb::IOStatus status = Change();
  if (!status.ok()) return status;
  {
    MutexLock lock(&mutex_);
    const auto found = files_.find(from);
    if (found != files_.end()) files_[to] = {found->second.content, false};
  }
  return target()->LinkFile(from, to, options, debug);
}

}  // namespace tidegate
