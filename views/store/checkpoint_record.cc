#include "views/store/checkpoint_record.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "views/store/checksum.h"

namespace tidegate {
namespace {

constexpr uint8_t kVersion = 1;

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("checkpoint record is malformed: ", what));
}

}  // namespace

std::string EncodeCheckpointRecord(const CheckpointRecord& record) {
  std::string out(1, static_cast<char>(kVersion));
  PutVarint64(&out, record.seq.value());
  PutLengthPrefixed(&out, record.incarnation);
  std::string positions;
  EncodePositions(record.positions, &positions);
  PutLengthPrefixed(&out, positions);
  PutVarint64(&out, record.row_counts.size());
  for (const auto& [view, count] : record.row_counts) {
    PutVarint64(&out, view.value());
    PutVarint64(&out, count);
  }
  PutVarint64(&out, record.log_trimmed.value());
  record.log_marks.Encode(&out);
  AppendChecksum(&out);
  return out;
}

absl::StatusOr<CheckpointRecord> DecodeCheckpointRecord(
    absl::string_view bytes) {
  if (!StripChecksum(&bytes)) return Malformed("wrong checksum");
  if (bytes.empty() || static_cast<uint8_t>(bytes[0]) != kVersion) {
    return Malformed("unknown version");
  }
  bytes.remove_prefix(1);
  CheckpointRecord record;
  uint64_t seq = 0, views = 0, trimmed = 0;
  absl::string_view incarnation, positions;
  if (!GetVarint64(&bytes, &seq) || !GetLengthPrefixed(&bytes, &incarnation) ||
      !GetLengthPrefixed(&bytes, &positions) || !GetVarint64(&bytes, &views)) {
    return Malformed("short");
  }
  record.seq = Seq(seq);
  record.incarnation = std::string(incarnation);
  ASSIGN_OR_RETURN(record.positions, DecodePositions(positions));
  for (uint64_t i = 0; i < views; ++i) {
    uint64_t view = 0, count = 0;
    if (!GetVarint64(&bytes, &view) ||
        view > std::numeric_limits<uint32_t>::max() ||
        !GetVarint64(&bytes, &count)) {
      return Malformed("bad row counts");
    }
    record.row_counts[ViewId(static_cast<uint32_t>(view))] = count;
  }
  if (!GetVarint64(&bytes, &trimmed) || !record.log_marks.Decode(&bytes) ||
      !bytes.empty()) {
    return Malformed("bad log marks");
  }
  record.log_trimmed = Seq(trimmed);
  return record;
}

}  // namespace tidegate
