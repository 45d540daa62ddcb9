#include "ingest/loop/spill_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

absl::Status FileError(absl::string_view what, const std::string& path) {
  const int error = errno;
  const std::string text =
      absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error));
  return error == ENOSPC ? absl::ResourceExhaustedError(text)
                         : absl::InternalError(text);
}

// Its name is gone as soon as it is open: it cannot outlive the process.
class DiskFile final : public SpillFile {
 public:
  DiskFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~DiskFile() override { close(fd_); }

  absl::Status Append(absl::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t wrote = write(fd_, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return FileError("write", path_);
      bytes.remove_prefix(static_cast<size_t>(wrote));
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override {
    if (lseek(fd_, 0, SEEK_SET) < 0) return FileError("rewind", path_);
    return absl::OkStatus();
  }

  absl::Status Read(size_t size, std::string* out) override {
    out->resize(size);
    size_t got = 0;
    while (got < size) {
      const ssize_t read_now = read(fd_, out->data() + got, size - got);
      if (read_now < 0 && errno == EINTR) continue;
      if (read_now < 0) return FileError("read", path_);
      if (read_now == 0) break;
      got += static_cast<size_t>(read_now);
    }
    out->resize(got);
    return absl::OkStatus();
  }

 private:
  const int fd_;
  const std::string path_;
};

class DiskFiles final : public SpillFiles {
 public:
  explicit DiskFiles(std::string directory)
      : directory_(std::move(directory)) {}

  absl::StatusOr<std::unique_ptr<SpillFile>> Create() override {
    std::string path = absl::StrCat(directory_, "/", next_++);
    const int fd =
        open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return FileError("create", path);
    auto file = std::make_unique<DiskFile>(fd, path);
    if (unlink(path.c_str()) != 0) return FileError("unlink", path);
    return std::unique_ptr<SpillFile>(std::move(file));
  }

 private:
  const std::string directory_;
  uint64_t next_ = 0;
};

class MemoryFile final : public SpillFile {
 public:
  absl::Status Append(absl::string_view bytes) override {
    bytes_.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  absl::Status Finish() override { return absl::OkStatus(); }
  absl::Status Read(size_t size, std::string* out) override {
    *out = bytes_.substr(read_, size);
    read_ += out->size();
    return absl::OkStatus();
  }

 private:
  std::string bytes_;
  size_t read_ = 0;
};

class MemoryFiles final : public SpillFiles {
 public:
  absl::StatusOr<std::unique_ptr<SpillFile>> Create() override {
    return std::unique_ptr<SpillFile>(std::make_unique<MemoryFile>());
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<SpillFiles>> OpenSpillDirectory(
    std::string directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (!error) std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::InternalError(absl::StrCat("cannot make the spill directory ",
                                            directory, ": ", error.message()));
  }
  return std::unique_ptr<SpillFiles>(
      std::make_unique<DiskFiles>(std::move(directory)));
}

std::unique_ptr<SpillFiles> MakeMemorySpill() {
  return std::make_unique<MemoryFiles>();
}

}  // namespace tidegate
