#include "loadtest/swarm/swarm.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "loadtest/swarm/sockets.h"
#include "loadtest/swarm/swarm_impl.h"
#include "loadtest/swarm/wire.h"

namespace tidegate::swarm {
namespace {

constexpr int64_t kMaxWaitUs = 100'000;

}  // namespace

SwarmImpl::SwarmImpl(SwarmOptions options, FaultPlan plan,
                     const Endpoint& endpoint)
    : options_(std::move(options)),
      plan_(std::move(plan)),
      per_connection_(options_.streams_per_connection),
      total_(options_.connections * per_connection_),
      random_(options_.seed),
      connections_(options_.connections, endpoint, options_.http2,
                   options_.seed, this),
      streams_(total_),
      by_id_(options_.connections),
      start_us_(connections_.now_us()),
      bursts_(total_) {
  for (size_t i = 0; i < total_; ++i) {
    streams_[i].connection = i / per_connection_;
    streams_[i].track = CallTrack(options_.watches);
    streams_[i].chosen = plan_.chosen[i];
    if (!options_.state_file.empty()) {
      streams_[i].rows.assign(streams_[i].track.watches(),
                              HeldRows(&options_.key_fields));
    }
    if (streams_[i].chosen) ++tally_.chosen_streams;
  }
  for (size_t i = 0; i < options_.connections; ++i) {
    connections_.ConnectAt(i, start_us_);
  }
  tally_.streams = static_cast<int64_t>(total_);
  tally_.connections = static_cast<int64_t>(options_.connections);
}

absl::StatusOr<Tally> SwarmImpl::Run(
    const std::atomic<bool>& stop,
    const std::function<void(double seconds)>& on_live) {
  while (!Over(stop)) {
    int64_t until_us = now_us() + kMaxWaitUs;
    if (!timers_.empty()) until_us = std::min(until_us, timers_.top().first);
    RETURN_IF_ERROR(connections_.Wait(until_us));
    RunTimers();
    NoteAllLive(on_live);
    RunFaults();
  }
  RETURN_IF_ERROR(fatal_);
  FinishTally();
  if (!options_.state_file.empty()) RETURN_IF_ERROR(WriteState());
  return tally_;
}

void SwarmImpl::FinishTally() {
  tally_.burst_last = bursts_.last();
  tally_.live_at_end = static_cast<int64_t>(live_);
  tally_.connects = connections_.connects();
  tally_.lost_connections = connections_.lost();
  const int64_t end_us = settle_since_us_ == 0 ? now_us() : settle_since_us_;
  const int64_t measured_us = end_us - all_live_us_ - options_.warm_up_us;
  if (all_live_us_ != 0 && measured_us > 0) {
    tally_.measured_s = static_cast<double>(measured_us) / 1e6;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  tally_.cpu_s =
      static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
      static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
          1e6;
  tally_.max_rss_mb = static_cast<double>(usage.ru_maxrss) / 1024;
}

bool SwarmImpl::Over(const std::atomic<bool>& stop) {
  if (!fatal_.ok() || done_ == total_) return true;
  const bool settles = !options_.state_file.empty();
  if (stop.load()) return !settles || all_live_us_ == 0 || Settled();
  if (all_live_us_ == 0) {
    if (now_us() - start_us_ < options_.live_timeout_us) return false;
    fatal_ = absl::DeadlineExceededError(
        absl::StrCat("only ", live_, " of ", total_, " streams became live in ",
                     options_.live_timeout_us / 1'000'000, " s"));
    return true;
  }
  return options_.run_us > 0 && now_us() - all_live_us_ >= options_.run_us &&
         (!settles || Settled());
}

void SwarmImpl::NoteAllLive(
    const std::function<void(double seconds)>& on_live) {
  if (all_live_us_ == 0 && live_ == total_) {
    all_live_us_ = now_us();
    tally_.all_live_s = static_cast<double>(now_us() - start_us_) / 1e6;
    on_live(tally_.all_live_s);
  }
  if (storm_us_ != 0 && tally_.storm_live_s < 0 && live_ == total_) {
    tally_.storm_live_s = static_cast<double>(now_us() - storm_us_) / 1e6;
  }
  measuring_ = all_live_us_ != 0 && settle_since_us_ == 0 &&
               now_us() - all_live_us_ >= options_.warm_up_us;
}

void SwarmImpl::RunTimers() {
  while (!timers_.empty() && timers_.top().first <= now_us()) {
    const size_t stream = timers_.top().second;
    timers_.pop();
    const size_t connection = streams_[stream].connection;
    if (!connections_.ready(connection)) continue;  // OnReady opens it
    Open(stream);
    connections_.Flush(connection);
  }
}

void SwarmImpl::RunFaults() {
  if (all_live_us_ == 0) return;
  for (; next_fault_ < plan_.faults.size(); ++next_fault_) {
    const Fault& fault = plan_.faults[next_fault_];
    if (fault.at_us > now_us() - all_live_us_) return;
    switch (fault.kind) {
      case FaultKind::kStall:
        ++tally_.stalls;
        streams_[fault.stream].stalled = true;
        break;
      case FaultKind::kResumeReading:
        ResumeReading(fault.stream);
        break;
      case FaultKind::kDisconnect:
        Disconnect(fault.stream, fault.pause_us);
        break;
      case FaultKind::kStorm:
        Storm();
        break;
    }
  }
}

void SwarmImpl::Forget(size_t connection) {
  by_id_[connection].clear();
  for (size_t i = 0; i < per_connection_; ++i) {
    const size_t stream = connection * per_connection_ + i;
    SetLive(stream, false);
    streams_[stream].id = 0;
  }
}

void SwarmImpl::Storm() {
  storm_us_ = now_us();
  for (size_t i = 0; i < options_.connections; ++i) {
    connections_.Close(i);
    Forget(i);
    connections_.ConnectAt(i, storm_us_);
  }
}

void SwarmImpl::Disconnect(size_t stream, int64_t pause_us) {
  if (streams_[stream].id == 0) return;  // is away already
  ++tally_.disconnects;
  const size_t connection = streams_[stream].connection;
  const int64_t back_us = now_us() + pause_us;
  if (per_connection_ == 1) {
    connections_.Close(connection);
    Forget(connection);
    connections_.ConnectAt(connection, back_us);
    return;
  }
  Cut(stream, back_us);
  connections_.Flush(connection);
}

void SwarmImpl::Cut(size_t index, int64_t back_us) {
  Stream& stream = streams_[index];
  SetLive(index, false);
  connections_.http2(stream.connection)->Reset(std::exchange(stream.id, 0));
  OpenLater(index, back_us);
}

void SwarmImpl::ResumeReading(size_t stream) {
  streams_[stream].stalled = false;
  const std::string held = std::exchange(streams_[stream].held, std::string());
  if (streams_[stream].id == 0) return;
  Read(stream, held);
  connections_.Flush(streams_[stream].connection);
}

void SwarmImpl::OpenLater(size_t stream, int64_t at_us) {
  streams_[stream].open_at_us = at_us;
  timers_.emplace(at_us, stream);
}

void SwarmImpl::Open(size_t index) {
  Stream& stream = streams_[index];
  if (stream.id != 0 || stream.done || stream.open_at_us > now_us() ||
      connections_.leaving(stream.connection)) {
    return;
  }
  H2Client* const http2 = connections_.http2(stream.connection);
  if (per_connection_ > http2->max_streams()) {
    fatal_ = absl::ResourceExhaustedError(absl::StrCat(
        "the server allows ", http2->max_streams(), " streams a connection"));
    return;
  }
  ++tally_.opened;
  if (stream.track.resumes()) ++tally_.resumes;
  stream.reader.Clear();
  stream.held.clear();
  stream.track.BeginStream();
  for (size_t i = 0; i < stream.rows.size(); ++i) {
    if (stream.track.token(i).empty()) stream.rows[i].Clear();
  }
  const std::vector<std::string> requests = RequestsOf(index);
  stream.id = http2->Open(stream.track.path(), requests.front(),
                          stream.track.stays_open());
  for (size_t i = 1; i < requests.size(); ++i) {
    http2->Send(stream.id, requests[i]);
  }
  by_id_[stream.connection].resize(stream.id / 2 + 1);
  by_id_[stream.connection][stream.id / 2] = index;
}

std::vector<std::string> SwarmImpl::RequestsOf(size_t stream) const {
  if (options_.raw) return {""};
  SubscribeCall call;
  call.view = options_.view;
  call.keys = options_.keys;
  call.first_key = stream * options_.keys_per_stream;
  call.key_count = options_.keys_per_stream;
  call.progress_ms = options_.progress_ms;
  return streams_[stream].track.Requests(call);
}

void SwarmImpl::OnReady(size_t connection) {
  for (size_t i = 0; i < per_connection_; ++i) {
    Open(connection * per_connection_ + i);
  }
}

void SwarmImpl::OnHeaders(size_t connection, uint32_t id) {
  if (options_.raw) SetLive(StreamOf(connection, id), true);
}

void SwarmImpl::OnData(size_t connection, uint32_t id,
                       absl::string_view bytes) {
  const size_t stream = StreamOf(connection, id);
  if (streams_[stream].stalled) {
    absl::StrAppend(&streams_[stream].held, bytes);
  } else {
    Read(stream, bytes);
  }
}

void SwarmImpl::OnLost(size_t connection, const absl::Status& why) {
  if (absl::IsDataLoss(why)) {
    Violation(connection * per_connection_, why.message());
  }
  Forget(connection);
}

void SwarmImpl::Read(size_t index, absl::string_view bytes) {
  Stream& stream = streams_[index];
  if (measuring_) tally_.bytes += static_cast<int64_t>(bytes.size());
  const absl::Status status =
      stream.reader.Take(bytes, [&](absl::string_view message) {
        if (options_.raw) {
          OnRaw(message);
        } else {
          OnMessage(index, message);
        }
      });
  connections_.http2(stream.connection)->Consumed(stream.id, bytes.size());
  if (status.ok()) return;
  Violation(index, status.message());
  connections_.Break(stream.connection);
}

void SwarmImpl::OnRaw(absl::string_view message) {
  if (!measuring_) return;
  ++tally_.messages;
  ++tally_.updates;
  const int64_t stamp = RawStamp(message);
  if (stamp == 0) return;
  tally_.all.Add(now_us() - stamp);
  tally_.healthy.Add(now_us() - stamp);
  if (options_.bursts) bursts_.Add(stamp, now_us());
}

void SwarmImpl::OnMessage(size_t index, absl::string_view message) {
  Stream& stream = streams_[index];
  bool snapshot = false;
  stream.track.Take(message, options_.latency, &response_,
                    [&](const absl::Status& verdict) {
                      snapshot |= response_.snapshot;
                      OnResponse(index, verdict);
                    });
  if (measuring_) ++tally_.messages;
  if (snapshot) {
    ++tally_.snapshot_messages;
    tally_.snapshot_bytes += static_cast<int64_t>(message.size());
  }
  if (std::exchange(stream.failed, false) && stream.id != 0) {
    Cut(index, now_us() + Backoff(++stream.failures, &random_));
  }
}

void SwarmImpl::OnFailure(size_t index) {
  const std::string code =
      CodeName(static_cast<uint64_t>(response_.failure_code));
  ++tally_.ended[code];
  streams_[index].failed = true;
  if (MayRetry(response_.failure_code)) return;
  fatal_ = absl::FailedPreconditionError(
      absl::StrCat("a watch ended with ", code, ": ", response_.failure));
}

void SwarmImpl::OnResponse(size_t index, const absl::Status& verdict) {
  Stream& stream = streams_[index];
  if (!verdict.ok()) Violation(index, verdict.message());
  if (response_.failed) return OnFailure(index);
  stream.failures = 0;
  tally_.snapshot_rows += static_cast<int64_t>(response_.snapshot_rows);
  if (response_.reset) {
    ++tally_.resets[ResetCauseName(response_.reset_cause)];
    SetLive(index, false);
  }
  if (response_.drain) {
    ++tally_.drains;
    stream.open_at_us = now_us() + response_.retry_after_ms * 1000;
  } else if (stream.track.live()) {
    SetLive(index, true);
  }
  for (const absl::string_view row : response_.rows) options_.on_row(row);
  if (!stream.rows.empty()) KeepRows(index);
  if (measuring_) Measure(stream);
}

void SwarmImpl::Measure(const Stream& stream) {
  tally_.updates += static_cast<int64_t>(response_.updates);
  if (response_.updates == 0) return;
  const auto add = [&](int64_t since_us, int64_t count) {
    tally_.all.Add(now_us() - since_us, count);
    if (!stream.chosen) tally_.healthy.Add(now_us() - since_us, count);
    if (options_.bursts) bursts_.Add(since_us, now_us());
  };
  for (const int64_t stamp : response_.stamps_us) add(stamp, 1);
  if (response_.time_us != 0) {
    add(response_.time_us, static_cast<int64_t>(response_.updates));
  }
}

void SwarmImpl::OnEnd(size_t connection, uint32_t id, const GrpcEnd& end) {
  const size_t index = StreamOf(connection, id);
  Stream& stream = streams_[index];
  stream.id = 0;
  SetLive(index, false);
  const std::string code = CodeName(static_cast<uint64_t>(end.code));
  ++tally_.ended[code];
  if (options_.raw && end.code == 0) {
    stream.done = true;
    ++done_;
    return;
  }
  if (!MayRetry(end.code)) {
    fatal_ = absl::FailedPreconditionError(
        absl::StrCat("a stream ended with ", code, ": ", end.message));
    return;
  }
  OpenLater(index, std::max(stream.open_at_us,
                            now_us() + Backoff(++stream.failures, &random_)));
  if (connections_.leaving(connection) && NoneOpen(connection)) {
    connections_.Break(connection);
  }
}

bool SwarmImpl::NoneOpen(size_t connection) const {
  for (size_t i = 0; i < per_connection_; ++i) {
    if (streams_[connection * per_connection_ + i].id != 0) return false;
  }
  return true;
}

void SwarmImpl::SetLive(size_t index, bool live) {
  Stream& stream = streams_[index];
  if (stream.live == live) return;
  stream.live = live;
  if (live) {
    ++live_;
  } else {
    --live_;
  }
}

void SwarmImpl::Violation(size_t stream, absl::string_view what) {
  ++tally_.violations;
  if (tally_.violation_examples.size() >= kMaxViolationExamples) return;
  tally_.violation_examples.push_back(
      absl::StrCat("stream ", stream, ": ", what));
}

absl::StatusOr<std::unique_ptr<Swarm>> Swarm::Create(SwarmOptions options) {
  if (options.connections == 0 || options.streams_per_connection == 0) {
    return absl::InvalidArgumentError("a swarm without streams");
  }
  if (options.watches > 1 && options.keys_per_stream % options.watches != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.keys_per_stream, " keys cannot be dealt out to ",
                     options.watches, " watches"));
  }
  RETURN_IF_ERROR(AllowOpenFiles(options.connections));
  ASSIGN_OR_RETURN(const Endpoint endpoint, Resolve(options.server));
  ASSIGN_OR_RETURN(
      FaultPlan plan,
      PlanFaults(options.faults,
                 options.connections * options.streams_per_connection,
                 options.seed));
  options.http2.authority = options.server;
  auto swarm = std::make_unique<SwarmImpl>(std::move(options), std::move(plan),
                                           endpoint);
  RETURN_IF_ERROR(swarm->Init());
  return swarm;
}

}  // namespace tidegate::swarm
