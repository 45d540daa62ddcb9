#include "loadtest/swarm/sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace tidegate::swarm {
namespace {

constexpr rlim_t kOtherFiles = 64;  // epoll, pipes, libraries

}  // namespace

absl::StatusOr<Endpoint> Resolve(const std::string& host_port) {
  const size_t colon = host_port.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("not HOST:PORT: \"", host_port, "\""));
  }
  std::string host = host_port.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(
      host.c_str(), host_port.substr(colon + 1).c_str(), &hints, &found);
  if (error != 0) {
    return absl::NotFoundError(
        absl::StrCat("no address for ", host_port, ": ", gai_strerror(error)));
  }
  Endpoint endpoint;
  std::memcpy(&endpoint.address, found->ai_addr, found->ai_addrlen);
  endpoint.size = found->ai_addrlen;
  endpoint.family = found->ai_family;
  freeaddrinfo(found);
  return endpoint;
}

absl::StatusOr<int> StartConnect(const Endpoint& endpoint) {
  const int fd =
      socket(endpoint.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "socket");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&endpoint.address),
              endpoint.size) == 0 ||
      errno == EINPROGRESS) {
    return fd;
  }
  const int error = errno;
  close(fd);
  return absl::ErrnoToStatus(error, "connect");
}

absl::Status AllowOpenFiles(size_t wanted) {
  const rlim_t needed = static_cast<rlim_t>(wanted) + kOtherFiles;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return absl::ErrnoToStatus(errno, "getrlimit");
  }
  if (limit.rlim_cur >= needed) return absl::OkStatus();
  if (limit.rlim_max < needed) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "needs ", needed, " open files, the hard limit is ", limit.rlim_max));
  }
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return absl::ErrnoToStatus(errno, "setrlimit");
  }
  return absl::OkStatus();
}

}  // namespace tidegate::swarm
