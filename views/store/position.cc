#include "views/store/position.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"

namespace tidegate {
namespace {

constexpr uint8_t kVersion = 2;

absl::Status Malformed() {
  return absl::DataLossError("positions are malformed");
}

bool GetSigned(absl::string_view* in, int64_t* value) {
  uint64_t raw = 0;
  if (!GetVarint64(in, &raw)) return false;
  *value = UnZigZag(raw);
  return true;
}

bool GetPartition(absl::string_view* in,
                  std::pair<std::string, PartitionId>* key,
                  PartitionPosition* position) {
  absl::string_view topic;
  int64_t partition = 0, next = 0, replay = 0, last = 0;
  if (!GetLengthPrefixed(in, &topic) || !GetSigned(in, &partition) ||
      !GetSigned(in, &next) || !GetSigned(in, &replay) ||
      !GetSigned(in, &last) || !GetSigned(in, &position->last_timestamp_ms) ||
      !GetFixed64LittleEndian(in, &position->last_hash)) {
    return false;
  }
  int64_t max_event_time = 0;
  uint64_t runs = 0;
  if (!GetSigned(in, &max_event_time) || !GetVarint64(in, &runs) ||
      runs > in->size() / 2) {
    return false;
  }
  position->max_event_time = EventTime(max_event_time);
  for (int64_t at = replay; runs > 0; --runs) {
    uint64_t skip = 0, count = 0;
    if (!GetVarint64(in, &skip) || !GetVarint64(in, &count)) return false;
    const int64_t first = at + static_cast<int64_t>(skip);
    at = first + static_cast<int64_t>(count);
    position->diverted.emplace_back(Offset(first), Offset(at));
  }
  const auto narrow = static_cast<int32_t>(partition);
  if (narrow != partition) return false;
  *key = {std::string(topic), PartitionId(narrow)};
  position->next_offset = Offset(next);
  position->replay_from = Offset(replay);
  position->last_offset = Offset(last);
  return true;
}

}  // namespace

void EncodePositions(const Positions& positions, std::string* out) {
  out->push_back(static_cast<char>(kVersion));
  PutFixed64LittleEndian(out,
                         static_cast<uint64_t>(positions.watermark.value()));
  out->push_back(positions.tables_ready ? 1 : 0);
  PutVarint64(out, positions.partitions.size());
  for (const auto& [key, position] : positions.partitions) {
    PutLengthPrefixed(out, key.first);
    PutVarint64(out, ZigZag(key.second.value()));
    PutVarint64(out, ZigZag(position.next_offset.value()));
    PutVarint64(out, ZigZag(position.replay_from.value()));
    PutVarint64(out, ZigZag(position.last_offset.value()));
    PutVarint64(out, ZigZag(position.last_timestamp_ms));
    PutFixed64LittleEndian(out, position.last_hash);
    PutVarint64(out, ZigZag(position.max_event_time.value()));
    PutVarint64(out, position.diverted.size());
    int64_t at = position.replay_from.value();
    for (const auto& [first, end] : position.diverted) {
      PutVarint64(out, static_cast<uint64_t>(first.value() - at));
      PutVarint64(out, static_cast<uint64_t>(end.value() - first.value()));
      at = end.value();
    }
  }
}

absl::StatusOr<Positions> DecodePositions(absl::string_view bytes) {
  if (bytes.empty()) return Malformed();
  if (static_cast<uint8_t>(bytes[0]) != kVersion) {
    return absl::DataLossError(
        absl::StrCat("positions have a version that is not known: ",
                     static_cast<uint8_t>(bytes[0])));
  }
  bytes.remove_prefix(1);
  Positions positions;
  uint64_t watermark = 0;
  if (!GetFixed64LittleEndian(&bytes, &watermark) || bytes.empty() ||
      static_cast<uint8_t>(bytes[0]) > 1) {
    return Malformed();
  }
  positions.watermark = EventTime(static_cast<int64_t>(watermark));
  positions.tables_ready = bytes[0] == 1;
  bytes.remove_prefix(1);
  uint64_t count = 0;
  if (!GetVarint64(&bytes, &count) || count > bytes.size()) return Malformed();
  for (uint64_t i = 0; i < count; ++i) {
    std::pair<std::string, PartitionId> key;
    PartitionPosition position;
    if (!GetPartition(&bytes, &key, &position)) return Malformed();
    if (!positions.partitions.empty() &&
        !(positions.partitions.rbegin()->first < key)) {
      return Malformed();
    }
    positions.partitions.emplace_hint(positions.partitions.end(),
                                      std::move(key), position);
  }
  if (!bytes.empty()) return Malformed();
  return positions;
}

}  // namespace tidegate
