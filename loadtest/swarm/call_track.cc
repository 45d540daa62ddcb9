#include "loadtest/swarm/call_track.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/coding.h"

namespace tidegate::swarm {
namespace {

constexpr absl::string_view kSubscribePath =
    "/tidegate.v1.ViewService/Subscribe";
constexpr absl::string_view kSessionPath = "/tidegate.v1.ViewService/Session";

// Field numbers of SessionResponse, its Update, and Failure.
constexpr uint32_t kUpdates = 1;
constexpr uint32_t kSessionDrain = 2;
constexpr uint32_t kUpdateId = 1;
constexpr uint32_t kUpdateResponse = 2;
constexpr uint32_t kUpdateFailure = 4;
constexpr uint32_t kFailureCode = 1;
constexpr uint32_t kFailureMessage = 2;

absl::Status Unreadable() {
  return absl::DataLossError("session response that cannot be read");
}

bool ReadFailure(absl::string_view message, Response* response) {
  response->failed = true;
  WireField field;
  while (!message.empty()) {
    if (!GetWireField(&message, &field)) return false;
    if (field.number == kFailureCode) {
      response->failure_code = static_cast<int>(field.varint);
    } else if (field.number == kFailureMessage) {
      response->failure = field.bytes;
    }
  }
  return true;
}

}  // namespace

CallTrack::CallTrack(size_t watches)
    : session_(watches > 0), watches_(std::max<size_t>(watches, 1)) {}

absl::string_view CallTrack::path() const {
  return session_ ? kSessionPath : kSubscribePath;
}

std::vector<std::string> CallTrack::Requests(SubscribeCall call) const {
  std::vector<std::string> requests;
  call.key_count /= watches_.size();
  for (size_t i = 0; i < watches_.size(); ++i) {
    call.token = token(i);
    std::string subscribe = EncodeSubscribe(call);
    requests.push_back(session_ ? EncodeWatch(i + 1, subscribe)
                                : std::move(subscribe));
    call.first_key += call.key_count;
  }
  return requests;
}

void CallTrack::BeginStream() {
  for (StreamTrack& watch : watches_) watch.BeginStream();
}

bool CallTrack::live() const {
  return std::all_of(watches_.begin(), watches_.end(),
                     [](const StreamTrack& watch) { return watch.live(); });
}

uint64_t CallTrack::position() const {
  uint64_t least = watches_.front().position();
  for (const StreamTrack& watch : watches_) {
    least = std::min(least, watch.position());
  }
  return least;
}

bool CallTrack::resumes() const {
  return std::any_of(
      watches_.begin(), watches_.end(),
      [](const StreamTrack& watch) { return !watch.token().empty(); });
}

void CallTrack::Take(absl::string_view message, const LatencySource& source,
                     Response* response,
                     absl::FunctionRef<void(const absl::Status&)> sink) {
  if (!session_) {
    return sink(watches_.front().Take(message, source, response));
  }
  WireField field;
  while (!message.empty()) {
    if (!GetWireField(&message, &field)) {
      response->Clear();
      return sink(Unreadable());
    }
    if (field.number == kUpdates) {
      TakeUpdate(field.bytes, source, response, sink);
    } else if (field.number == kSessionDrain) {
      response->Clear();
      sink(ReadDrain(field.bytes, response) ? absl::OkStatus() : Unreadable());
    }
  }
}

void CallTrack::TakeUpdate(absl::string_view update,
                           const LatencySource& source, Response* response,
                           absl::FunctionRef<void(const absl::Status&)> sink) {
  uint64_t id = 0;
  absl::string_view answer;
  absl::string_view failure;
  bool failed = false;
  response->Clear();
  WireField field;
  while (!update.empty()) {
    if (!GetWireField(&update, &field)) return sink(Unreadable());
    if (field.number == kUpdateId) {
      id = field.varint;
    } else if (field.number == kUpdateResponse) {
      answer = field.bytes;
    } else if (field.number == kUpdateFailure) {
      failed = true;
      failure = field.bytes;
    }
  }
  if (id == 0 || id > watches_.size()) {
    return sink(absl::DataLossError(
        absl::StrCat("update of a watch that was not asked for: ", id)));
  }
  absl::Status verdict = watches_[id - 1].Take(answer, source, response);
  response->watch = id - 1;
  if (failed && !ReadFailure(failure, response)) verdict = Unreadable();
  sink(verdict);
}

}  // namespace tidegate::swarm
