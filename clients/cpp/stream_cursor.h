// What a subscriber knows of its stream: turns responses into events in order
// and proves continuity. Knows Protobuf, but neither gRPC nor time.
#ifndef TIDEGATE_CLIENTS_CPP_STREAM_CURSOR_H_
#define TIDEGATE_CLIENTS_CPP_STREAM_CURSOR_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "clients/cpp/event.h"

namespace tidegate::v1 {
class SubscribeResponse;
}  // namespace tidegate::v1

namespace tidegate::client {

// Changes of a fragmented range or commit are held until it is whole.
inline constexpr size_t kMaxPendingBytes = 256u << 20;

// Thread-compatible. Lives across the connections of one subscriber.
class StreamCursor {
 public:
  // `token` resumes an earlier subscriber's stream; empty: from a snapshot.
  explicit StreamCursor(std::string token);

  // A new stream was asked for with token(): what was pending is dropped.
  void BeginStream();
  // Hands over the events that `response` completes, in order. DataLoss if it
  // breaks continuity: its changes and its position are not handed over then,
  // but that it connected, a reset, or rows of a snapshot may have been.
  absl::Status Take(v1::SubscribeResponse&& response,
                    absl::FunctionRef<void(Event)> sink);

  // Where a new stream should resume; empty: from a snapshot.
  const std::string& token() const { return token_; }
  const std::optional<StreamPosition>& position() const { return position_; }

 private:
  // kForeign: resumed from another cursor's token, nothing received yet.
  enum class Phase { kSnapshot, kLive, kForeign };

  Event MakeEvent(Event::Kind kind, const v1::SubscribeResponse& response);
  absl::Status TakeSnapshot(v1::SubscribeResponse& response,
                            absl::FunctionRef<void(Event)> sink);
  absl::Status TakeDelta(v1::SubscribeResponse& response,
                         absl::FunctionRef<void(Event)> sink);
  // Keeps the changes of a fragment.
  absl::Status Hold(v1::SubscribeResponse& response);
  // Moves position_ over `ranges`, or says what is wrong with them.
  absl::Status Advance(const std::vector<Range>& ranges);

  std::string token_;
  std::string incarnation_;
  std::optional<StreamPosition> position_;  // nullopt: not known
  bool first_response_ = true;
  Phase phase_ = Phase::kSnapshot;
  std::vector<Change> pending_;
  size_t pending_bytes_ = 0;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_STREAM_CURSOR_H_
