#include "cmd/tidegate/build_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

namespace fs = std::filesystem;

absl::Status IoError(absl::string_view what, const std::string& path,
                     absl::string_view why) {
  return absl::InternalError(
      absl::StrCat("cannot ", what, " ", path, ": ", why));
}

// Writes the whole file and syncs it.
absl::Status WriteSynced(const std::string& path, const std::string& content) {
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return IoError("create", path, std::strerror(errno));
  const ssize_t written = write(fd, content.data(), content.size());
  const bool good =
      written == static_cast<ssize_t>(content.size()) && fsync(fd) == 0;
  const std::string why = std::strerror(errno);
  close(fd);
  return good ? absl::OkStatus() : IoError("write", path, why);
}

absl::Status SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return IoError("open", path, std::strerror(errno));
  const bool good = fsync(fd) == 0;
  const std::string why = std::strerror(errno);
  close(fd);
  return good ? absl::OkStatus() : IoError("sync", path, why);
}

}  // namespace

absl::StatusOr<BuildDirectory> BuildDirectory::Open(
    const std::string& data_dir, const std::string& pipeline) {
  const std::string path = absl::StrCat(data_dir, "/", pipeline);
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return IoError("create directory", path, error.message());
  const std::string lock_path = path + "/LOCK";
  const int fd = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return IoError("open", lock_path, std::strerror(errno));
  auto lock = std::make_unique<Lock>(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return IoError("lock", lock_path, std::strerror(errno));
    }
    return absl::AbortedError(absl::StrCat(
        "data directory is in use by another process: ", data_dir));
  }
  return BuildDirectory(path, std::move(lock));
}

BuildDirectory::Lock::~Lock() { close(fd_); }

absl::StatusOr<std::optional<uint64_t>> BuildDirectory::Current() const {
  const std::string path = path_ + "/CURRENT";
  std::error_code error;
  const bool exists = fs::exists(path, error);
  if (error) return IoError("look for", path, error.message());
  // An unreadable CURRENT is not a missing one: builds would be removed.
  if (!exists) return std::optional<uint64_t>();
  std::ifstream in(path);
  if (!in) return IoError("open", path, std::strerror(errno));
  std::string text;
  std::getline(in, text);
  uint64_t build = 0;
  if (!absl::SimpleAtoi(text, &build) || build == 0) {
    return absl::DataLossError(
        absl::StrCat(path, " does not name a build: \"", text, "\""));
  }
  return std::optional<uint64_t>(build);
}

absl::Status BuildDirectory::SetCurrent(uint64_t build) const {
  const std::string path = path_ + "/CURRENT";
  const std::string temporary = path + ".new";
  RETURN_IF_ERROR(WriteSynced(temporary, absl::StrCat(build, "\n")));
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return IoError("rename to", path, std::strerror(errno));
  }
  return SyncDirectory(path_);
}

std::string BuildDirectory::PathOf(uint64_t build) const {
  return absl::StrCat(path_, "/", build);
}

bool BuildDirectory::Exists(uint64_t build) const {
  std::error_code error;
  return fs::exists(PathOf(build), error);
}

absl::Status BuildDirectory::Remove(uint64_t build) const {
  std::error_code error;
  fs::remove_all(PathOf(build), error);
  if (error) return IoError("remove", PathOf(build), error.message());
  return absl::OkStatus();
}

absl::Status BuildDirectory::RemoveOthers(uint64_t kept) const {
  std::error_code error;
  std::vector<uint64_t> others;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    uint64_t build = 0;
    const std::string name = entry.path().filename().string();
    if (absl::SimpleAtoi(name, &build) && build != kept) {
      others.push_back(build);
    }
  }
  if (error) return IoError("list", path_, error.message());
  for (const uint64_t build : others) RETURN_IF_ERROR(Remove(build));
  return absl::OkStatus();
}

}  // namespace tidegate
