#include "loadtest/swarm/stream_track.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"

namespace tidegate::swarm {
namespace {

// Field numbers of proto/tidegate/v1/view_service.proto.
enum ResponseField : uint32_t {
  kChanges = 1,
  kRanges = 2,
  kResumeToken = 3,
  kSnapshot = 4,
  kSnapshotEnd = 5,
  kPosition = 6,
  kWatermark = 7,
  kCommittedAt = 8,
  kSentAt = 9,
  kReset = 10,
  kDrain = 11,
  kFragment = 12,
};
constexpr uint32_t kUpsert = 1;  // of Change
constexpr uint32_t kLeft = 3;
constexpr uint32_t kPartitions = 2;  // of Position

struct Range {
  uint64_t partition = 0;
  uint64_t from = 0;
  uint64_t to = 0;
};

// Up to three varint fields, by number.
struct Varints {
  uint64_t at[4] = {};
};

bool ReadVarints(absl::string_view message, Varints* out) {
  WireField field;
  while (!message.empty()) {
    if (!GetWireField(&message, &field)) return false;
    if (field.number < 4) out->at[field.number] = field.varint;
  }
  return true;
}

// A google.protobuf.Timestamp or Duration in microseconds.
bool ReadMicros(absl::string_view message, int64_t* micros) {
  Varints parts;
  if (!ReadVarints(message, &parts)) return false;
  *micros = static_cast<int64_t>(parts.at[1]) * 1'000'000 +
            static_cast<int64_t>(parts.at[2]) / 1000;
  return true;
}

// The stamp in a row, if it has one.
bool ReadStamp(absl::string_view row, const LatencySource& source,
               std::vector<int64_t>* stamps) {
  WireField column;
  while (!row.empty()) {
    if (!GetWireField(&row, &column)) return false;
    if (column.number != source.field) continue;
    int64_t micros = static_cast<int64_t>(column.varint);
    if (source.is_timestamp && !ReadMicros(column.bytes, &micros)) {
      return false;
    }
    stamps->push_back(micros);
  }
  return true;
}

// What the source wants to know of a change's row.
bool ReadChange(absl::string_view change, const LatencySource& source,
                Response* response) {
  const bool wants_rows = source.kind == LatencySource::Kind::kRows;
  const bool wants_stamps = source.kind == LatencySource::Kind::kColumn;
  if (!wants_rows && !wants_stamps && !source.changes) return true;
  WireField kind;
  while (!change.empty()) {
    if (!GetWireField(&change, &kind)) return false;
    if (source.changes && kind.number >= kUpsert && kind.number <= kLeft) {
      response->changes.push_back({kind.number == kUpsert, kind.bytes});
    }
    if (kind.number != kUpsert || (!wants_rows && !wants_stamps)) continue;
    if (wants_rows) {
      response->rows.push_back(kind.bytes);
    } else if (!ReadStamp(kind.bytes, source, &response->stamps_us)) {
      return false;
    }
  }
  return true;
}

}  // namespace

struct StreamTrack::Fields {
  size_t changes = 0;
  std::vector<Range> ranges;
  absl::string_view token;
  Positions position;
  bool has_position = false;
  bool snapshot = false;
  bool snapshot_end = false;
  bool fragment = false;
  bool has_watermark = false;
  int64_t watermark_us = 0;

  // False if the message cannot be read.
  bool Read(absl::string_view message, const LatencySource& source,
            Response* response);

 private:
  bool ReadOne(const WireField& field, const LatencySource& source,
               Response* response);
  bool ReadPosition(absl::string_view message);
  bool ReadReset(absl::string_view message, Response* response);
};

bool StreamTrack::Fields::Read(absl::string_view message,
                               const LatencySource& source,
                               Response* response) {
  WireField field;
  while (!message.empty()) {
    if (!GetWireField(&message, &field)) return false;
    if (!ReadOne(field, source, response)) return false;
  }
  return true;
}

bool StreamTrack::Fields::ReadOne(const WireField& field,
                                  const LatencySource& source,
                                  Response* response) {
  Varints range;
  switch (field.number) {
    case kChanges:
      ++changes;
      return ReadChange(field.bytes, source, response);
    case kRanges:
      if (!ReadVarints(field.bytes, &range)) return false;
      ranges.push_back({range.at[1], range.at[2], range.at[3]});
      return true;
    case kResumeToken:
      token = field.bytes;
      return true;
    case kSnapshot:
      snapshot = field.varint != 0;
      return true;
    case kSnapshotEnd:
      snapshot_end = field.varint != 0;
      return true;
    case kPosition:
      return ReadPosition(field.bytes);
    case kWatermark:
      has_watermark = true;
      return ReadMicros(field.bytes, &watermark_us);
    case kCommittedAt:
      return source.kind != LatencySource::Kind::kCommitted ||
             ReadMicros(field.bytes, &response->time_us);
    case kSentAt:
      return source.kind != LatencySource::Kind::kSent ||
             ReadMicros(field.bytes, &response->time_us);
    case kReset:
      return ReadReset(field.bytes, response);
    case kDrain:
      return ReadDrain(field.bytes, response);
    case kFragment:
      fragment = field.varint != 0;
      return true;
    default:
      return true;
  }
}

bool StreamTrack::Fields::ReadPosition(absl::string_view message) {
  has_position = true;
  WireField field;
  while (!message.empty()) {
    if (!GetWireField(&message, &field)) return false;
    Varints entry;
    if (field.number != kPartitions) continue;
    if (!ReadVarints(field.bytes, &entry)) return false;
    position.emplace_back(static_cast<uint32_t>(entry.at[1]), entry.at[2]);
  }
  return true;
}

bool StreamTrack::Fields::ReadReset(absl::string_view message,
                                    Response* response) {
  Varints reset;
  response->reset = true;
  if (!ReadVarints(message, &reset)) return false;
  response->reset_cause = reset.at[1];
  return true;
}

bool ReadDrain(absl::string_view message, Response* response) {
  response->drain = true;
  WireField field;
  while (!message.empty()) {
    if (!GetWireField(&message, &field)) return false;
    int64_t micros = 0;
    if (field.number != 1) continue;
    if (!ReadMicros(field.bytes, &micros)) return false;
    response->retry_after_ms = micros / 1000;
  }
  return true;
}

void Response::Clear() {
  std::vector<int64_t> stamps = std::move(stamps_us);
  std::vector<absl::string_view> kept_rows = std::move(rows);
  std::vector<RowChange> kept_changes = std::move(changes);
  stamps.clear();
  kept_rows.clear();
  kept_changes.clear();
  *this = Response();
  stamps_us = std::move(stamps);
  rows = std::move(kept_rows);
  changes = std::move(kept_changes);
}

uint64_t StreamTrack::position() const {
  for (const auto& [partition, seq] : position_) {
    if (partition == 0 && live()) return seq;
  }
  return 0;
}

void StreamTrack::BeginStream() {
  in_fragment_ = false;
  if (!token_.empty()) return;
  phase_ = Phase::kSnapshot;
  position_.clear();
  watermark_us_ = std::numeric_limits<int64_t>::min();
}

absl::Status StreamTrack::Take(absl::string_view message,
                               const LatencySource& source,
                               Response* response) {
  response->Clear();
  Fields fields;
  if (!fields.Read(message, source, response)) {
    return absl::DataLossError("response that cannot be read");
  }
  absl::Status status = Judge(fields, response);
  response->live = live();
  return status;
}

absl::Status StreamTrack::Judge(const Fields& fields, Response* response) {
  if (response->reset) {
    token_.clear();
    BeginStream();
  }
  absl::Status status;
  if (fields.snapshot || fields.snapshot_end) {
    response->snapshot = true;
    response->snapshot_rows = fields.changes;
    status = JudgeSnapshot(fields);
  } else if (fields.changes > 0 || !fields.ranges.empty() || fields.fragment ||
             in_fragment_) {
    response->updates = fields.changes;
    status = JudgeDelta(fields);
  }
  if (!fields.fragment && !fields.token.empty()) {
    token_ = std::string(fields.token);
  }
  if (!fields.has_watermark) return status;
  const int64_t before = std::exchange(watermark_us_, fields.watermark_us);
  if (status.ok() && fields.watermark_us < before) {
    return absl::DataLossError(absl::StrCat(
        "watermark moved back from ", before, " to ", fields.watermark_us));
  }
  return status;
}

absl::Status StreamTrack::JudgeSnapshot(const Fields& fields) {
  const bool was_live = live();
  phase_ = fields.snapshot_end ? Phase::kLive : Phase::kSnapshot;
  if (fields.snapshot_end) position_ = fields.position;
  if (was_live) return absl::DataLossError("a snapshot came without a reset");
  if (fields.snapshot_end && !fields.has_position) {
    return absl::DataLossError("a snapshot's end came without a position");
  }
  return absl::OkStatus();
}

absl::Status StreamTrack::JudgeDelta(const Fields& fields) {
  if (!live()) {
    return absl::DataLossError("changes came before the snapshot's end");
  }
  in_fragment_ = fields.fragment;
  if (fields.fragment) {
    if (fields.ranges.empty()) return absl::OkStatus();
    return absl::DataLossError("a fragment came with a range");
  }
  if (fields.ranges.empty()) {
    return absl::DataLossError("changes came without a range");
  }
  return Advance(fields);
}

absl::Status StreamTrack::Advance(const Fields& fields) {
  absl::Status status;
  for (const Range& range : fields.ranges) {
    auto at = std::find_if(
        position_.begin(), position_.end(),
        [&](const auto& entry) { return entry.first == range.partition; });
    // A partition that appears later begins at its log's start.
    if (at == position_.end()) {
      at = position_.insert(at, {static_cast<uint32_t>(range.partition), 0});
    }
    if (range.from != at->second || range.to < range.from) {
      status = absl::DataLossError(absl::StrCat(
          "range (", range.from, ", ", range.to, "] of partition ",
          range.partition, " does not continue position ", at->second));
    }
    at->second = range.to;
  }
  return status;
}

}  // namespace tidegate::swarm
