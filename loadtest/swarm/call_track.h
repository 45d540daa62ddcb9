// What one stream of the swarm asks for and is checked by: a Subscribe call, or
// a Session of several watches, each with a continuity of its own. Pure.
#ifndef TIDEGATE_LOADTEST_SWARM_CALL_TRACK_H_
#define TIDEGATE_LOADTEST_SWARM_CALL_TRACK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "loadtest/swarm/stream_track.h"
#include "loadtest/swarm/wire.h"

namespace tidegate::swarm {

// Thread-compatible. Lives across the connections of one subscriber.
class CallTrack {
 public:
  // `watches` 0: a Subscribe call; else a Session of so many.
  explicit CallTrack(size_t watches = 0);

  absl::string_view path() const;
  // What the stream begins with, in order. `call` has the keys of all watches,
  // each of which gets an equal part; its token is ours. More may follow on a
  // session's stream, so it stays open on our side.
  std::vector<std::string> Requests(SubscribeCall call) const;
  bool stays_open() const { return session_; }

  // A new stream is asked for with what Requests() gives.
  void BeginStream();
  // Takes a message; calls `sink` with the verdict on each response in it, as
  // StreamTrack::Take gives it, while `response` holds that response.
  void Take(absl::string_view message, const LatencySource& source,
            Response* response,
            absl::FunctionRef<void(const absl::Status& verdict)> sink);

  bool live() const;          // every watch is past its snapshot
  uint64_t position() const;  // the least of the watches'
  size_t watches() const { return watches_.size(); }
  bool resumes() const;  // some watch has a token
  const std::string& token(size_t watch) const {
    return watches_[watch].token();
  }

 private:
  void TakeUpdate(absl::string_view update, const LatencySource& source,
                  Response* response,
                  absl::FunctionRef<void(const absl::Status&)> sink);

  bool session_;
  std::vector<StreamTrack> watches_;  // the one with id n is at n - 1
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_CALL_TRACK_H_
