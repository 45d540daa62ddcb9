#include "loadtest/swarm/connections.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/clock.h"

namespace tidegate::swarm {
namespace {

constexpr size_t kReadBytes = 256u << 10;
constexpr int kMaxEvents = 256;
constexpr int64_t kMinBackoffUs = 20'000;
constexpr int64_t kMaxBackoffUs = 2'000'000;
constexpr size_t kKeptOutputBytes = 4096;

}  // namespace

int64_t Backoff(int failures, std::mt19937_64* random) {
  const int64_t most =
      std::min(kMaxBackoffUs, kMinBackoffUs << std::min(failures, 10));
  return std::uniform_int_distribution<int64_t>(most / 2, most)(*random);
}

Connections::Connections(size_t count, const Endpoint& endpoint,
                         H2Options options, uint64_t seed, Owner* owner)
    : endpoint_(endpoint),
      options_(std::move(options)),
      owner_(owner),
      random_(seed),
      all_(count),
      buffer_(kReadBytes) {
  TakeTime();
}

Connections::~Connections() {
  for (const Connection& connection : all_) {
    if (connection.fd >= 0) close(connection.fd);
  }
  if (epoll_ >= 0) close(epoll_);
}

absl::Status Connections::Init() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return absl::ErrnoToStatus(errno, "epoll_create1");
  return absl::OkStatus();
}

void Connections::TakeTime() { now_us_ = Clock::System()->Now().value(); }

void Connections::ConnectAt(size_t index, int64_t at_us) {
  timers_.emplace(at_us, index);
}

void Connections::ConnectDue() {
  while (!timers_.empty() && timers_.top().first <= now_us_) {
    to_connect_.push_back(timers_.top().second);
    timers_.pop();
  }
  while (connecting_ < kMaxConnecting && !to_connect_.empty()) {
    const size_t index = to_connect_.front();
    to_connect_.pop_front();
    if (all_[index].state == State::kDown) Connect(index);
  }
}

void Connections::Connect(size_t index) {
  Connection& connection = all_[index];
  ++connects_;
  const absl::StatusOr<int> fd = StartConnect(endpoint_);
  if (!fd.ok()) {
    return ConnectAt(index, now_us_ + Backoff(++connection.failures, &random_));
  }
  ++connecting_;
  connection.fd = *fd;
  connection.state = State::kConnecting;
  H2Client::Handler* const handler = this;
  connection.http2 = std::make_unique<H2Client>(options_, handler);
  connection.sent = 0;
  connection.leaving = false;
  connection.wants_write = true;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u64 = index;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, *fd, &event) != 0) {
    connection.broken = absl::ErrnoToStatus(errno, "epoll_ctl");
    LoseIfBroken(index);
  }
}

absl::Status Connections::Wait(int64_t until_us) {
  ConnectDue();
  if (!timers_.empty()) until_us = std::min(until_us, timers_.top().first);
  const int64_t wait_us = std::max<int64_t>(until_us - now_us_, 0);
  std::array<epoll_event, kMaxEvents> events;
  const int n = epoll_wait(epoll_, events.data(), kMaxEvents,
                           static_cast<int>((wait_us + 999) / 1000));
  if (n < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "epoll_wait");
  TakeTime();
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    OnEvents(event.data.u64, event.events);
  }
  return absl::OkStatus();
}

void Connections::OnEvents(size_t index, uint32_t events) {
  Connection& connection = all_[index];
  if (connection.fd < 0) return;  // closed by an event before this one
  in_event_ = true;
  current_ = index;
  if (connection.state == State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) connection.broken = absl::ErrnoToStatus(error, "connect");
    if ((events & EPOLLOUT) != 0) connection.state = State::kGreeting;
  }
  if (connection.broken.ok() &&
      (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    ReadFrom(&connection);
  }
  if (connection.broken.ok()) Send(&connection);
  in_event_ = false;
  LoseIfBroken(index);
}

void Connections::ReadFrom(Connection* connection) {
  const ssize_t n = recv(connection->fd, buffer_.data(), buffer_.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n < 0) {
    connection->broken = absl::ErrnoToStatus(errno, "recv");
  } else if (n == 0) {
    connection->broken = absl::UnavailableError("closed by the server");
  } else {
    TakeTime();
    const absl::Status status =
        connection->http2->Receive({buffer_.data(), static_cast<size_t>(n)});
    if (!status.ok()) connection->broken = status;
  }
}

void Connections::Send(Connection* connection) {
  std::string* const out = connection->http2->output();
  while (connection->sent < out->size()) {
    const ssize_t n = send(connection->fd, out->data() + connection->sent,
                           out->size() - connection->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return ListenTo(connection, true);
    if (n < 0) {
      connection->broken = absl::ErrnoToStatus(errno, "send");
      return;
    }
    connection->sent += static_cast<size_t>(n);
  }
  connection->sent = 0;
  out->clear();
  if (out->capacity() > kKeptOutputBytes) *out = std::string();
  ListenTo(connection, false);
}

void Connections::ListenTo(Connection* connection, bool write) {
  if (connection->wants_write == write) return;
  connection->wants_write = write;
  epoll_event event{};
  event.events = EPOLLIN | (write ? uint32_t{EPOLLOUT} : 0u);
  event.data.u64 = static_cast<uint64_t>(connection - all_.data());
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd, &event) != 0) {
    connection->broken = absl::ErrnoToStatus(errno, "epoll_ctl");
  }
}

void Connections::Flush(size_t index) {
  Connection& connection = all_[index];
  if (connection.state != State::kReady) return;
  Send(&connection);
  if (!in_event_) LoseIfBroken(index);
}

void Connections::Break(size_t index) {
  all_[index].broken = absl::AbortedError("given up by the swarm");
  if (!in_event_) LoseIfBroken(index);
}

void Connections::Close(size_t index) {
  Connection& connection = all_[index];
  if (connection.state == State::kConnecting ||
      connection.state == State::kGreeting) {
    --connecting_;
  }
  if (connection.fd >= 0) close(connection.fd);
  connection.fd = -1;
  connection.http2.reset();
  connection.state = State::kDown;
  connection.broken = absl::OkStatus();
}

void Connections::LoseIfBroken(size_t index) {
  Connection& connection = all_[index];
  const absl::Status why = connection.broken;
  if (why.ok()) return;
  ++lost_;
  Close(index);
  ConnectAt(index, now_us_ + Backoff(++connection.failures, &random_));
  owner_->OnLost(index, why);
}

void Connections::OnReady() {
  Connection& connection = all_[current_];
  connection.state = State::kReady;
  connection.failures = 0;
  --connecting_;
  owner_->OnReady(current_);
}

void Connections::OnHeaders(uint32_t stream) {
  owner_->OnHeaders(current_, stream);
}

void Connections::OnData(uint32_t stream, absl::string_view bytes) {
  owner_->OnData(current_, stream, bytes);
}

void Connections::OnEnd(uint32_t stream, const GrpcEnd& end) {
  owner_->OnEnd(current_, stream, end);
}

void Connections::OnGoAway() { all_[current_].leaving = true; }

}  // namespace tidegate::swarm
