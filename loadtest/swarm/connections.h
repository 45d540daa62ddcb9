// The swarm's connections: one epoll, an H2Client each, reconnecting with
// backoff.
#ifndef TIDEGATE_LOADTEST_SWARM_CONNECTIONS_H_
#define TIDEGATE_LOADTEST_SWARM_CONNECTIONS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "loadtest/swarm/h2_client.h"
#include "loadtest/swarm/sockets.h"

namespace tidegate::swarm {

// Connections that are being set up at the same time: fewer than the backlog
// of a listening socket.
inline constexpr size_t kMaxConnecting = 256;

// Exponential, random between a half and the whole; in microseconds.
int64_t Backoff(int failures, std::mt19937_64* random);

// Thread-compatible. Connections go by their index.
class Connections : private H2Client::Handler {
 public:
  // Called from Wait, Flush and Break.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnReady(size_t connection) = 0;  // streams may be opened
    virtual void OnHeaders(size_t connection, uint32_t stream) = 0;
    virtual void OnData(size_t connection, uint32_t stream,
                        absl::string_view bytes) = 0;
    virtual void OnEnd(size_t connection, uint32_t stream,
                       const GrpcEnd& end) = 0;
    // It is down, will be connected anew, and its streams are gone.
    virtual void OnLost(size_t connection, const absl::Status& why) = 0;
  };

  Connections(size_t count, const Endpoint& endpoint, H2Options options,
              uint64_t seed, Owner* owner);
  ~Connections() override;
  absl::Status Init();

  // Connects, at that time, one that is down.
  void ConnectAt(size_t index, int64_t at_us);
  // Closes without telling the owner; it stays down until ConnectAt.
  void Close(size_t index);
  // Closes as if it were lost; from within a callback, soon after.
  void Break(size_t index);
  // Sends what its H2Client has put out. Not needed in callbacks.
  void Flush(size_t index);

  bool ready(size_t index) const { return all_[index].state == State::kReady; }
  // The server wants no new streams here.
  bool leaving(size_t index) const { return all_[index].leaving; }
  // Not null if it is ready.
  H2Client* http2(size_t index) { return all_[index].http2.get(); }

  // Waits for something to happen, until `until_us`, and deals with it.
  absl::Status Wait(int64_t until_us);
  // The time as of the last bytes read, or of the last Wait.
  int64_t now_us() const { return now_us_; }

  int64_t connects() const { return connects_; }
  int64_t lost() const { return lost_; }

 private:
  enum class State : uint8_t { kDown, kConnecting, kGreeting, kReady };
  struct Connection {
    State state = State::kDown;
    int fd = -1;
    std::unique_ptr<H2Client> http2;
    size_t sent = 0;  // of http2's output
    bool wants_write = false;
    bool leaving = false;
    absl::Status broken;  // not OK: to be closed
    int failures = 0;
  };
  using Timer = std::pair<int64_t, size_t>;

  void OnReady() override;
  void OnHeaders(uint32_t stream) override;
  void OnData(uint32_t stream, absl::string_view bytes) override;
  void OnEnd(uint32_t stream, const GrpcEnd& end) override;
  void OnGoAway() override;

  void Connect(size_t index);
  void ConnectDue();
  void OnEvents(size_t index, uint32_t events);
  void ReadFrom(Connection* connection);
  void Send(Connection* connection);
  void ListenTo(Connection* connection, bool write);
  void LoseIfBroken(size_t index);
  void TakeTime();

  const Endpoint endpoint_;
  const H2Options options_;
  Owner* const owner_;
  std::mt19937_64 random_;
  int epoll_ = -1;
  std::vector<Connection> all_;
  std::deque<size_t> to_connect_;
  size_t connecting_ = 0;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<char> buffer_;
  size_t current_ = 0;  // whose bytes are read
  bool in_event_ = false;
  int64_t now_us_ = 0;
  int64_t connects_ = 0;
  int64_t lost_ = 0;
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_CONNECTIONS_H_
