// One HTTP/2 connection of a light gRPC client: bytes in, bytes out. Speaks as
// much of RFC 9113 and RFC 7541 as server streams need, without compression and
// without a dynamic header table. Pure: knows neither sockets nor time.
#ifndef TIDEGATE_LOADTEST_SWARM_H2_CLIENT_H_
#define TIDEGATE_LOADTEST_SWARM_H2_CLIENT_H_

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tidegate::swarm {

inline constexpr uint32_t kDefaultWindow = 65'535;

struct H2Options {
  std::string authority;
  // What the server may send ahead on a stream, and on the connection in all.
  uint32_t stream_window = kDefaultWindow;
  uint32_t connection_window = 16u << 20;
  // Give the window back message by message, as gRPC's clients do, instead of
  // by halves.
  bool eager_updates = false;
};

// How a stream ended.
struct GrpcEnd {
  int code = 2;  // google.rpc.Code; 2: UNKNOWN, also if it cannot be read
  std::string message;
};

// Thread-compatible.
class H2Client {
 public:
  // Called from within Receive. May call Open, Reset and Consumed, but must not
  // destroy the client.
  class Handler {
   public:
    virtual ~Handler() = default;
    // The server's settings have come: streams may be opened.
    virtual void OnReady() = 0;
    virtual void OnHeaders(uint32_t stream) = 0;
    // Give its window back with Consumed. `bytes` is a piece of gRPC's framing.
    virtual void OnData(uint32_t stream, absl::string_view bytes) = 0;
    virtual void OnEnd(uint32_t stream, const GrpcEnd& end) = 0;
    virtual void OnGoAway() = 0;  // no new streams here
  };

  H2Client(H2Options options, Handler* handler);

  // Calls `path` with a request message; returns the stream's number. Our side
  // of the stream is closed after it unless it `stays_open` for Send.
  uint32_t Open(absl::string_view path, absl::string_view message,
                bool stays_open = false);
  // Another request message on a stream that stays open.
  void Send(uint32_t stream, absl::string_view message);
  // Cancels; nothing more is heard of the stream.
  void Reset(uint32_t stream);
  void Consumed(uint32_t stream, size_t bytes);

  // Takes what the server sent. An error ends the connection.
  absl::Status Receive(absl::string_view bytes);
  // To be sent; the caller erases what it has sent.
  std::string* output() { return &out_; }

  // As the server's settings say.
  uint32_t max_streams() const { return max_streams_; }

 private:
  struct Stream {
    size_t owed = 0;  // window to give back
    int64_t send_window = 0;
  };
  struct Unsent {
    uint32_t stream;
    std::string bytes;
    bool ends_stream = true;
    size_t sent = 0;
  };

  absl::Status OnFrame(uint8_t type, uint8_t flags, uint32_t stream,
                       absl::string_view payload);
  absl::Status OnDataFrame(uint8_t flags, uint32_t stream,
                           absl::string_view payload);
  absl::Status OnHeadersFrame(uint8_t flags, uint32_t stream,
                              absl::string_view payload);
  absl::Status OnHeaderBlock();
  absl::Status OnSettings(uint8_t flags, absl::string_view payload);
  absl::Status OnWindowUpdate(uint32_t stream, absl::string_view payload);
  void End(uint32_t stream, const GrpcEnd& end);
  void Enqueue(uint32_t stream, absl::string_view message, bool ends_stream);
  void SendUnsent();

  const H2Options options_;
  Handler* const handler_;
  std::string out_;
  std::string in_;  // an unfinished frame
  uint32_t next_stream_ = 1;
  std::unordered_map<uint32_t, Stream> streams_;
  size_t owed_ = 0;  // window of the connection to give back
  bool ready_ = false;

  // What the server allows us.
  uint32_t max_streams_ = UINT32_MAX;
  uint32_t max_frame_ = 16'384;
  int64_t initial_send_window_ = kDefaultWindow;
  int64_t send_window_ = kDefaultWindow;
  std::deque<Unsent> unsent_;

  // A header block on its way.
  std::string block_;
  uint32_t block_stream_ = 0;  // 0: none
  bool block_ends_stream_ = false;
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_H2_CLIENT_H_
