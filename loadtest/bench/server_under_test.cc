#include "loadtest/bench/server_under_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

constexpr absl::string_view kRecordsMetric = "tidegate_records_total";
constexpr absl::string_view kBuildingMetric = "tidegate_building";

// "listening grpc=HOST:PORT http=HOST:PORT"
absl::Status ParseListening(const std::string& line, std::string* grpc,
                            std::string* http) {
  for (absl::string_view word : absl::StrSplit(line, ' ')) {
    if (absl::ConsumePrefix(&word, "grpc=")) *grpc = std::string(word);
    if (absl::ConsumePrefix(&word, "http=")) *http = std::string(word);
  }
  if (grpc->empty() || http->empty()) {
    return absl::InternalError(
        absl::StrCat("the server does not say where it listens: ", line));
  }
  return absl::OkStatus();
}

// Over all labels.
absl::StatusOr<double> SumOf(absl::string_view metric,
                             const std::string& text) {
  double sum = 0;
  bool found = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, metric)) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    double value = 0;
    if (words.size() < 2 || !absl::SimpleAtod(words[1], &value)) continue;
    sum += value;
    found = true;
  }
  if (!found) {
    return absl::NotFoundError(absl::StrCat("/metrics has no ", metric));
  }
  return sum;
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

absl::Status WriteBenchFiles(const std::string& dir, const BenchFiles& files) {
  for (const auto& [name, text] : files) {
    const std::string path = absl::StrCat(dir, "/", name);
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) return absl::InternalError(absl::StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> HttpGet(const std::string& address,
                                    const std::string& path) {
  const std::pair<std::string, std::string> host_port =
      absl::StrSplit(address, absl::MaxSplits(':', 1));
  int port = 0;
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  if (!absl::SimpleAtoi(host_port.second, &port) ||
      inet_pton(AF_INET, host_port.first.c_str(), &peer.sin_addr) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("no address: ", address));
  }
  peer.sin_port = htons(static_cast<uint16_t>(port));
  const Socket socket_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket_fd.fd() < 0 ||
      connect(socket_fd.fd(), reinterpret_cast<sockaddr*>(&peer),
              sizeof(peer)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("connecting to ", address));
  }
  const std::string request =
      absl::StrCat("GET ", path, " HTTP/1.0\r\nHost: ", address, "\r\n\r\n");
  if (send(socket_fd.fd(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return absl::ErrnoToStatus(errno, "sending a request");
  }
  std::string answer;
  char chunk[16384];
  ssize_t n = 0;
  while ((n = recv(socket_fd.fd(), chunk, sizeof(chunk), 0)) > 0) {
    answer.append(chunk, static_cast<size_t>(n));
  }
  const size_t body = answer.find("\r\n\r\n");
  if (n < 0 || body == std::string::npos) {
    return absl::UnavailableError(absl::StrCat("no answer from ", address));
  }
  return answer.substr(body + 4);
}

absl::StatusOr<std::unique_ptr<ServerUnderTest>> ServerUnderTest::Start(
    const std::string& bootstrap_servers, const BenchFiles& files) {
  std::unique_ptr<ServerUnderTest> server(new ServerUnderTest());
  std::string dir =
      (std::filesystem::temp_directory_path() / "tidegate-bench.XXXXXX")
          .string();
  if (mkdtemp(dir.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("mkdtemp ", dir));
  }
  server->dir_ = dir;
  RETURN_IF_ERROR(WriteBenchFiles(dir, files));
  ASSIGN_OR_RETURN(
      server->child_,
      ChildProcess::Start(
          {OwnBinary(), "serve", "--views",
           absl::StrCat(dir, "/", kBenchViewsFile), "--bootstrap-servers",
           bootstrap_servers, "--data-dir", dir + "/data", "--listen",
           "127.0.0.1:0", "--http", "127.0.0.1:0"},
          ChildOptions{.stderr_path = dir + "/log"}));
  const absl::StatusOr<std::string> line = server->child_->ReadLine();
  if (!line.ok()) {
    return Annotate(line.status(), "the server did not start");
  }
  RETURN_IF_ERROR(
      ParseListening(*line, &server->grpc_address_, &server->http_address_));
  return server;
}

ServerUnderTest::~ServerUnderTest() {
  child_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

absl::StatusOr<int64_t> ServerUnderTest::Records() const {
  ASSIGN_OR_RETURN(const std::string text, HttpGet(http_address_, "/metrics"));
  ASSIGN_OR_RETURN(const double records, SumOf(kRecordsMetric, text));
  ASSIGN_OR_RETURN(const double building, SumOf(kBuildingMetric, text));
  return building > 0 ? 0 : static_cast<int64_t>(records);
}

absl::StatusOr<ChildUsage> ServerUnderTest::Stop() {
  child_->Signal(SIGTERM);
  return child_->Wait();
}

}  // namespace tidegate
