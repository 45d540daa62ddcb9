#include "gateway/core/fan_out.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/core/waiting_reads.h"
#include "gateway/core/watch_index.h"

namespace tidegate {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;
// A stream that has nothing to say is not asked again before, but for cause.
constexpr int64_t kMinRestMs = 5;

// A stream as the fan-out keeps it.
struct Slot {
  StreamId id = 0;
  std::unique_ptr<Stream> stream;
  Transport* transport = nullptr;
  std::string peer;
  bool writing = false;
  bool queued = false;      // in one of the queues
  bool awaiting = false;    // in the list of those that wait for rows
  bool closing = false;     // to be finished with OK once it is silent
  bool handing_on = false;  // to get its farewell
  bool farewell = false;    // it has got it
  int64_t retry_after_ms = 0;
  // The earliest timer for due() that is under way.
  ProcessingTime timer = kNever;
};

class FanOutImpl : public FanOut {
 public:
  FanOutImpl(const FanOutOptions& options, const ViewHub* hub,
             GatewayStats* stats, SnapshotWork work)
      : options_(options),
        stats_(stats),
        random_(options.seed),
        index_(hub, stats, options.max_watches, options.counts_commits,
               Announcing(std::move(work))),
        reads_(options.max_waiting_reads) {}
  ~FanOutImpl() override;

  absl::StatusOr<StreamId> Open(const MakeStream& make, Transport* transport,
                                const std::string& peer,
                                ProcessingTime now) override;
  Stream* Find(StreamId id) override;
  void Kick(StreamId id, ProcessingTime now) override;
  void Written(StreamId id, ProcessingTime now) override;
  void Close(StreamId id, ProcessingTime now) override;
  void Gone(StreamId id) override;
  ProcessingTime Turn(ProcessingTime now) override;
  void WaitFor(const ServedPipeline* pipeline, Seq seq, ProcessingTime deadline,
               std::function<void(absl::Status)> done) override;
  void BeginDrain(int64_t retry_after_ms, int64_t over_ms,
                  ProcessingTime now) override;
  bool draining() const override { return draining_; }
  size_t streams() const override { return slots_.size(); }

 private:
  enum class What : uint8_t { kDue, kHandOn };
  SnapshotWork Announcing(SnapshotWork work) {
    auto on_ready = [this, then = std::move(work.on_ready)] {
      rows_ready_ = true;
      if (then != nullptr) then();
    };
    return {std::move(work.run), std::move(on_ready)};
  }
  struct Timer {
    ProcessingTime at;
    StreamId id = 0;
    What what = What::kDue;
    bool operator>(const Timer& other) const { return at > other.at; }
  };

  absl::Status CheckLimits(const std::string& peer) const;
  Slot* SlotOf(StreamId id);
  void Enqueue(Slot* slot);
  void ServeReady(ProcessingTime now);
  void ServeBehind(ProcessingTime now);
  // Sends the next message, or sees that there is none. Returns its bytes.
  size_t Pump(Slot* slot, ProcessingTime now);
  size_t Write(Slot* slot, Message message);
  void Rest(Slot* slot, ProcessingTime now);
  void Finish(Slot* slot, const absl::Status& status, int64_t retry_after_ms);
  void Erase(StreamId id);
  void RunTimers(ProcessingTime now);
  void HandOn(Slot* slot);
  void WakeAwaiting();
  void SetTimer(ProcessingTime at, StreamId id, What what) {
    timers_.push({at, id, what});
  }
  int64_t Between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
  void ReportGauges();

  const FanOutOptions options_;
  GatewayStats* const stats_;
  std::mt19937_64 random_;
  std::atomic<bool> rows_ready_{false};  // before index_, whose feeds set it
  WatchIndex index_;  // before slots_: streams leave it as they die
  WaitingReads reads_;
  absl::flat_hash_map<StreamId, std::unique_ptr<Slot>> slots_;
  absl::flat_hash_map<std::string, size_t> peers_;
  StreamId last_id_ = 0;
  // Ids of streams that have gone may still be in these.
  std::deque<StreamId> ready_;
  std::deque<StreamId> behind_;
  std::vector<StreamId> awaiting_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  bool draining_ = false;
  int64_t drain_retry_ms_ = 0;
  int64_t behind_reported_ = 0;
  int64_t awaiting_reported_ = 0;
};

FanOutImpl::~FanOutImpl() {
  ready_.clear();
  behind_.clear();
  awaiting_.clear();
  ReportGauges();
}

Slot* FanOutImpl::SlotOf(StreamId id) {
  const auto at = slots_.find(id);
  return at == slots_.end() ? nullptr : at->second.get();
}

Stream* FanOutImpl::Find(StreamId id) {
  Slot* const slot = SlotOf(id);
  return slot == nullptr ? nullptr : slot->stream.get();
}

absl::Status FanOutImpl::CheckLimits(const std::string& peer) const {
  if (draining_) return absl::UnavailableError("server is draining");
  if (slots_.size() >= options_.max_streams) {
    return absl::ResourceExhaustedError(
        absl::StrCat("too many subscribers, limit ", options_.max_streams));
  }
  const auto at = peers_.find(peer);
  if (at != peers_.end() && at->second >= options_.max_streams_per_peer) {
    return absl::ResourceExhaustedError(
        absl::StrCat("too many streams from ", peer, ", limit ",
                     options_.max_streams_per_peer));
  }
  return absl::OkStatus();
}

absl::StatusOr<StreamId> FanOutImpl::Open(const MakeStream& make,
                                          Transport* transport,
                                          const std::string& peer,
                                          ProcessingTime now) {
  RETURN_IF_ERROR(CheckLimits(peer));
  ASSIGN_OR_RETURN(std::unique_ptr<Stream> stream, make(&index_));
  auto slot = std::make_unique<Slot>();
  slot->id = ++last_id_;
  slot->stream = std::move(stream);
  slot->stream->set_id(slot->id);
  slot->transport = transport;
  slot->peer = peer;
  ++peers_[peer];
  if (options_.max_stream_age_ms > 0) {
    const int64_t age_us = options_.max_stream_age_ms * kMicrosPerMilli;
    SetTimer(ProcessingTime(now.value() + Between(age_us - age_us / 10,
                                                  age_us + age_us / 10)),
             slot->id, What::kHandOn);
  }
  Slot* const opened = slot.get();
  slots_.emplace(opened->id, std::move(slot));
  Enqueue(opened);
  return opened->id;
}

void FanOutImpl::Kick(StreamId id, ProcessingTime /*now*/) {
  Slot* const slot = SlotOf(id);
  if (slot != nullptr) Enqueue(slot);
}

void FanOutImpl::Written(StreamId id, ProcessingTime now) {
  Slot* const slot = SlotOf(id);
  if (slot == nullptr) return;
  slot->writing = false;
  slot->stream->SetBlocked(false);
  // Most have nothing more to say, and this finds it out for little.
  if (slot->farewell || !slot->stream->behind()) {
    Pump(slot, now);
  } else {
    Enqueue(slot);
  }
}

void FanOutImpl::Close(StreamId id, ProcessingTime /*now*/) {
  Slot* const slot = SlotOf(id);
  if (slot == nullptr) return;
  slot->closing = true;
  Enqueue(slot);
}

void FanOutImpl::Gone(StreamId id) { Erase(id); }

void FanOutImpl::Erase(StreamId id) {
  const auto at = slots_.find(id);
  if (at == slots_.end()) return;
  const auto peer = peers_.find(at->second->peer);
  if (--peer->second == 0) peers_.erase(peer);
  slots_.erase(at);
}

void FanOutImpl::Enqueue(Slot* slot) {
  if (slot->writing || slot->queued) return;
  slot->queued = true;
  const bool urgent = slot->handing_on || !slot->stream->behind();
  (urgent ? ready_ : behind_).push_back(slot->id);
}

size_t FanOutImpl::Write(Slot* slot, Message message) {
  const size_t bytes = message.size();
  slot->writing = true;
  slot->stream->SetBlocked(true);
  slot->transport->Write(std::move(message));
  return bytes;
}

void FanOutImpl::Finish(Slot* slot, const absl::Status& status,
                        int64_t retry_after_ms) {
  Transport* const transport = slot->transport;
  Erase(slot->id);
  transport->Finish(status, retry_after_ms);
}

size_t FanOutImpl::Pump(Slot* slot, ProcessingTime now) {
  if (slot->writing) return 0;
  if (slot->farewell) {
    Finish(slot,
           absl::UnavailableError(draining_ ? "server is draining"
                                            : "stream has reached its age"),
           slot->retry_after_ms);
    return 0;
  }
  Message message;
  if (slot->handing_on && !slot->stream->mid_range()) {
    slot->stream->Drain(now, slot->retry_after_ms, &message);
    slot->farewell = true;
    ++stats_->drained;
    return Write(slot, std::move(message));
  }
  const absl::StatusOr<bool> sent = slot->stream->Next(now, &message);
  if (!sent.ok()) {
    Finish(slot, sent.status(), -1);
    return 0;
  }
  if (*sent) return Write(slot, std::move(message));
  if (slot->stream->behind() && !slot->stream->awaits_rows()) {
    Enqueue(slot);  // it has read on and found nothing yet
  } else if (slot->closing) {
    Finish(slot, absl::OkStatus(), -1);
  } else {
    Rest(slot, now);
  }
  return 0;
}

// It has nothing to say now.
void FanOutImpl::Rest(Slot* slot, ProcessingTime now) {
  if (slot->stream->awaits_rows() && !slot->awaiting) {
    slot->awaiting = true;
    awaiting_.push_back(slot->id);
  }
  // Never at once again, whatever it says of itself.
  const ProcessingTime due =
      std::max(slot->stream->due(),
               ProcessingTime(now.value() + kMinRestMs * kMicrosPerMilli));
  if (due >= slot->timer) return;
  slot->timer = due;
  SetTimer(due, slot->id, What::kDue);
}

void FanOutImpl::HandOn(Slot* slot) {
  if (slot->handing_on) return;
  slot->handing_on = true;
  slot->retry_after_ms =
      draining_ ? Between(drain_retry_ms_ / 2, drain_retry_ms_ * 3 / 2)
                : Between(0, kMaxAgeRetryMs);
  // Found in the other queue if it is in one.
  slot->queued = false;
  Enqueue(slot);
}

void FanOutImpl::RunTimers(ProcessingTime now) {
  while (!timers_.empty() && timers_.top().at <= now) {
    const Timer timer = timers_.top();
    timers_.pop();
    Slot* const slot = SlotOf(timer.id);
    if (slot == nullptr) continue;
    if (timer.what == What::kHandOn) {
      HandOn(slot);
      continue;
    }
    if (timer.at != slot->timer) continue;  // an earlier one has replaced it
    slot->timer = kNever;
    if (slot->writing || slot->queued) continue;  // it will rest again
    if (slot->stream->due() <= now) {
      Enqueue(slot);
    } else {
      Rest(slot, now);
    }
  }
}

void FanOutImpl::WakeAwaiting() {
  if (!rows_ready_.exchange(false)) return;
  std::vector<StreamId> awaiting;
  awaiting.swap(awaiting_);
  for (const StreamId id : awaiting) {
    Slot* const slot = SlotOf(id);
    if (slot == nullptr) continue;
    slot->awaiting = false;
    Enqueue(slot);
  }
}

void FanOutImpl::ServeReady(ProcessingTime now) {
  for (size_t i = 0; i < kMessagesPerTurn && !ready_.empty(); ++i) {
    Slot* const slot = SlotOf(ready_.front());
    ready_.pop_front();
    if (slot == nullptr) continue;
    slot->queued = false;
    Pump(slot, now);
  }
}

// One that had nothing to send has still read.
void FanOutImpl::ServeBehind(ProcessingTime now) {
  size_t bytes = 0;
  size_t left = behind_.size();  // each once
  while (left-- > 0 && bytes < options_.catch_up_bytes_per_turn) {
    Slot* const slot = SlotOf(behind_.front());
    behind_.pop_front();
    if (slot == nullptr) continue;
    slot->queued = false;
    bytes += std::max(Pump(slot, now), kMaxMessageBytes);
  }
}

ProcessingTime FanOutImpl::Turn(ProcessingTime now) {
  index_.Tell([this](Watch* watch) {
    watch->stream->Woken(watch);
    Slot* const slot = SlotOf(watch->stream->id());
    if (slot != nullptr) Enqueue(slot);
  });
  reads_.Turn(now);
  RunTimers(now);
  WakeAwaiting();
  ServeReady(now);
  if (ready_.empty()) ServeBehind(now);
  const ProcessingTime tend = index_.TendFeeds(now, kNever);
  ReportGauges();
  if (!ready_.empty() || !behind_.empty()) return now;
  const ProcessingTime timer = timers_.empty() ? kNever : timers_.top().at;
  return std::min({timer, tend, reads_.next(kNever)});
}

void FanOutImpl::ReportGauges() {
  const auto behind = static_cast<int64_t>(behind_.size());
  const auto awaiting = static_cast<int64_t>(awaiting_.size());
  if (behind != behind_reported_) stats_->behind += behind - behind_reported_;
  if (awaiting != awaiting_reported_) {
    stats_->awaiting += awaiting - awaiting_reported_;
  }
  behind_reported_ = behind;
  awaiting_reported_ = awaiting;
}

void FanOutImpl::WaitFor(const ServedPipeline* pipeline, Seq seq,
                         ProcessingTime deadline,
                         std::function<void(absl::Status)> done) {
  if (draining_ && pipeline->store().head() < seq) {
    return done(absl::UnavailableError("server is draining"));
  }
  reads_.Add(pipeline, seq, deadline, std::move(done));
}

void FanOutImpl::BeginDrain(int64_t retry_after_ms, int64_t over_ms,
                            ProcessingTime now) {
  if (draining_) return;
  draining_ = true;
  drain_retry_ms_ = std::max<int64_t>(retry_after_ms, 0);
  reads_.FailAll(absl::UnavailableError("server is draining"));
  const int64_t count = static_cast<int64_t>(slots_.size());
  int64_t i = 0;
  for (const auto& [id, slot] : slots_) {
    SetTimer(
        ProcessingTime(now.value() + over_ms * kMicrosPerMilli * i / count), id,
        What::kHandOn);
    ++i;
  }
}

}  // namespace

std::unique_ptr<FanOut> FanOut::Create(const FanOutOptions& options,
                                       const ViewHub* hub, GatewayStats* stats,
                                       SnapshotWork work) {
  return std::make_unique<FanOutImpl>(options, hub, stats, std::move(work));
}

}  // namespace tidegate
