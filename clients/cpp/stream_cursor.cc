#include "clients/cpp/stream_cursor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tidegate/v1/view_service.pb.h"

namespace tidegate::client {
namespace {

int64_t Micros(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1000;
}

// Moves the changes of `response` to the end of `out`; returns their bytes.
absl::StatusOr<size_t> MoveChanges(v1::SubscribeResponse& response,
                                   std::vector<Change>* out) {
  size_t bytes = 0;
  for (v1::Change& change : *response.mutable_changes()) {
    Change taken;
    switch (change.kind_case()) {
      case v1::Change::kUpsert:
        taken.bytes = std::move(*change.mutable_upsert());
        taken.finality = FinalityOfNumber(change.finality());
        break;
      case v1::Change::kDeleted:
        taken.kind = Change::Kind::kDeleted;
        taken.bytes = std::move(*change.mutable_deleted());
        break;
      case v1::Change::kLeft:
        taken.kind = Change::Kind::kLeft;
        taken.bytes = std::move(*change.mutable_left());
        break;
      case v1::Change::KIND_NOT_SET:
        return absl::DataLossError("change without a kind");
    }
    bytes += taken.bytes.size() + sizeof(Change);
    out->push_back(std::move(taken));
  }
  return bytes;
}

StreamPosition ToPosition(const v1::Position& from) {
  StreamPosition position;
  position.incarnation = from.incarnation();
  for (const v1::PartitionSeq& entry : from.partitions()) {
    position.seqs[entry.partition()] = entry.seq();
  }
  return position;
}

}  // namespace

StreamCursor::StreamCursor(std::string token)
    : token_(std::move(token)),
      phase_(token_.empty() ? Phase::kSnapshot : Phase::kForeign) {}

void StreamCursor::BeginStream() {
  first_response_ = true;
  pending_.clear();
  pending_bytes_ = 0;
  if (token_.empty()) {
    phase_ = Phase::kSnapshot;
    position_.reset();
  }
}

Event StreamCursor::MakeEvent(Event::Kind kind,
                              const v1::SubscribeResponse& response) {
  Event event;
  event.kind = kind;
  if (response.has_watermark()) {
    event.watermark_us = Micros(response.watermark());
  }
  if (response.has_committed_at()) {
    event.committed_us = Micros(response.committed_at());
  }
  if (response.has_sent_at()) event.sent_us = Micros(response.sent_at());
  return event;
}

absl::Status StreamCursor::Take(v1::SubscribeResponse&& response,
                                absl::FunctionRef<void(Event)> sink) {
  if (response.has_position() && !response.position().incarnation().empty()) {
    incarnation_ = response.position().incarnation();
  }
  if (first_response_) {
    first_response_ = false;
    Event event = MakeEvent(Event::Kind::kConnected, response);
    event.token = token_;
    if (response.has_position()) {
      event.position = ToPosition(response.position());
    }
    sink(std::move(event));
  }
  if (response.has_reset()) {
    Event event = MakeEvent(Event::Kind::kReset, response);
    event.cause = v1::Reset::Cause_Name(response.reset().cause());
    event.detail = response.reset().detail();
    if (response.has_position()) {
      event.position = ToPosition(response.position());
    }
    token_.clear();
    pending_.clear();
    pending_bytes_ = 0;
    position_.reset();
    phase_ = Phase::kSnapshot;
    sink(std::move(event));
  }
  if (response.snapshot() || response.snapshot_end()) {
    RETURN_IF_ERROR(TakeSnapshot(response, sink));
  } else {
    RETURN_IF_ERROR(TakeDelta(response, sink));
  }
  if (response.has_drain()) {
    Event event = MakeEvent(Event::Kind::kDrain, response);
    if (!response.resume_token().empty()) token_ = response.resume_token();
    event.token = token_;
    event.position = position_;
    const auto& after = response.drain().retry_after();
    event.retry_after_ms = after.seconds() * 1000 + after.nanos() / 1'000'000;
    sink(std::move(event));
  }
  return absl::OkStatus();
}

absl::Status StreamCursor::TakeSnapshot(v1::SubscribeResponse& response,
                                        absl::FunctionRef<void(Event)> sink) {
  if (phase_ == Phase::kLive) {
    return absl::DataLossError("a snapshot came without a reset");
  }
  phase_ = Phase::kSnapshot;
  if (response.changes_size() > 0) {
    Event event = MakeEvent(Event::Kind::kSnapshot, response);
    RETURN_IF_ERROR(MoveChanges(response, &event.changes).status());
    if (!response.resume_token().empty() && !response.snapshot_end()) {
      token_ = response.resume_token();
      event.token = token_;
    }
    sink(std::move(event));
  }
  if (!response.snapshot_end()) return absl::OkStatus();
  if (!response.has_position()) {
    return absl::DataLossError("a snapshot's end came without a position");
  }
  phase_ = Phase::kLive;
  position_ = ToPosition(response.position());
  Event event = MakeEvent(Event::Kind::kSnapshotEnd, response);
  token_ = response.resume_token();
  event.token = token_;
  event.position = position_;
  sink(std::move(event));
  return absl::OkStatus();
}

absl::Status StreamCursor::Hold(v1::SubscribeResponse& response) {
  ASSIGN_OR_RETURN(const size_t bytes, MoveChanges(response, &pending_));
  pending_bytes_ += bytes;
  if (pending_bytes_ > kMaxPendingBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "one batch of changes is larger than ", kMaxPendingBytes, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status StreamCursor::Advance(const std::vector<Range>& ranges) {
  StreamPosition next = position_.value_or(StreamPosition());
  for (const Range& range : ranges) {
    const auto [it, is_new] =
        next.seqs.try_emplace(range.partition, range.from);
    // A partition that appears later begins at its log's start.
    const bool unknown = is_new && (!position_.has_value() || range.from == 0);
    if ((!unknown && is_new) || range.from != it->second ||
        range.to < range.from) {
      return absl::DataLossError(
          absl::StrCat("range (", range.from, ", ", range.to, "] of partition ",
                       range.partition, " does not continue position ",
                       is_new ? 0 : it->second));
    }
    it->second = range.to;
  }
  next.incarnation = incarnation_;
  position_ = std::move(next);
  return absl::OkStatus();
}

absl::Status StreamCursor::TakeDelta(v1::SubscribeResponse& response,
                                     absl::FunctionRef<void(Event)> sink) {
  const bool has_content =
      response.changes_size() > 0 || response.ranges_size() > 0;
  if (!has_content && !response.fragment() && pending_.empty()) {
    // A first response, a reset or a drain alone; or a sign of life.
    return absl::OkStatus();
  }
  if (phase_ == Phase::kSnapshot) {
    return absl::DataLossError("changes came before the snapshot's end");
  }
  phase_ = Phase::kLive;
  RETURN_IF_ERROR(Hold(response));
  if (response.fragment()) return absl::OkStatus();
  Event event = MakeEvent(Event::Kind::kChanges, response);
  for (const v1::Range& range : response.ranges()) {
    event.ranges.push_back({range.partition(), range.from(), range.to()});
  }
  event.changes = std::move(pending_);
  pending_.clear();
  pending_bytes_ = 0;
  if (event.ranges.empty()) {
    return absl::DataLossError("changes came without a range");
  }
  RETURN_IF_ERROR(Advance(event.ranges));
  if (!response.resume_token().empty()) token_ = response.resume_token();
  event.token = token_;
  event.position = position_;
  sink(std::move(event));
  return absl::OkStatus();
}

}  // namespace tidegate::client
