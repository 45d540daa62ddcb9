#include "base/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

extern char** environ;

namespace tidegate {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) / 1e6;
}

void Close(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

struct Pipe {
  ~Pipe() {
    Close(&read_end);
    Close(&write_end);
  }
  bool Open() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return false;
    read_end = fds[0];
    write_end = fds[1];
    return true;
  }
  int read_end = -1;
  int write_end = -1;
};

}  // namespace

std::string OwnBinary() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& argv, const ChildOptions& options) {
  Pipe in;
  Pipe out;
  if (!out.Open() || (options.pipe_input && !in.Open())) {
    return absl::ErrnoToStatus(errno, "pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (options.pipe_input) {
    posix_spawn_file_actions_adddup2(&actions, in.read_end, STDIN_FILENO);
  }
  posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  if (!options.stderr_path.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO,
                                     options.stderr_path.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
  }
  std::vector<char*> args;
  args.reserve(argv.size() + 1);
  for (const std::string& arg : argv) {
    args.push_back(const_cast<char*>(arg.c_str()));
  }
  args.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, args[0], &actions, nullptr, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", argv[0]));
  }
  std::unique_ptr<ChildProcess> child(
      new ChildProcess(pid, in.write_end, out.read_end));
  in.write_end = -1;
  out.read_end = -1;
  return child;
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    Signal(SIGKILL);
    (void)Wait();
  }
  CloseInput();
  close(from_child_);
}

absl::StatusOr<std::string> ChildProcess::ReadLine() {
  while (true) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    char chunk[4096];
    const ssize_t n = read(from_child_, chunk, sizeof(chunk));
    if (n > 0) {
      buffer_.append(chunk, static_cast<size_t>(n));
    } else if (n == 0 || errno != EINTR) {
      return absl::OutOfRangeError("the child's output has ended");
    }
  }
}

void ChildProcess::CloseInput() { Close(&to_child_); }

void ChildProcess::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

absl::StatusOr<ChildUsage> ChildProcess::Wait() {
  if (pid_ == 0) {
    return absl::FailedPreconditionError("the child was waited for before");
  }
  int status = 0;
  rusage usage;
  pid_t done;
  do {
    done = wait4(pid_, &status, 0, &usage);
  } while (done < 0 && errno == EINTR);
  if (done < 0) return absl::ErrnoToStatus(errno, "wait4");
  pid_ = 0;
  ChildUsage result;
  result.exit_code =
      WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  result.cpu_s = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  result.max_rss_mb = static_cast<double>(usage.ru_maxrss) / 1024;
  return result;
}

}  // namespace tidegate
