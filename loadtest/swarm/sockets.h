// The little that the swarm asks of the operating system.
#ifndef TIDEGATE_LOADTEST_SWARM_SOCKETS_H_
#define TIDEGATE_LOADTEST_SWARM_SOCKETS_H_

#include <sys/socket.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidegate::swarm {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  int family = 0;
};

// The first address of HOST:PORT.
absl::StatusOr<Endpoint> Resolve(const std::string& host_port);

// A non-blocking TCP socket that is connecting; the caller closes it.
absl::StatusOr<int> StartConnect(const Endpoint& endpoint);

// Raises the limit of open files to `wanted` and a few more; ResourceExhausted
// if the hard limit is lower.
absl::Status AllowOpenFiles(size_t wanted);

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_SOCKETS_H_
