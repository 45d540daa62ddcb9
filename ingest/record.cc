#include "ingest/record.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/coding.h"

namespace tidegate {
namespace {

const RecordHeaders& ListOf(const void* list) {
  return *static_cast<const RecordHeaders*>(list);
}

constexpr HeaderView::Access kListAccess = {
    .last =
        [](const void* list, const std::string& name,
           HeaderView::Value* value) {
          const RecordHeaders& headers = ListOf(list);
          for (size_t i = headers.size(); i-- > 0;) {
            if (headers[i].first != name) continue;
            *value = headers[i].second;
            return true;
          }
          return false;
        },
    .each =
        [](const void* list, HeaderView::Sink sink) {
          for (const auto& [name, value] : ListOf(list)) sink(name, value);
        },
};

}  // namespace

HeaderView ViewOf(const RecordHeaders& headers) {
  return headers.empty() ? HeaderView() : HeaderView(&headers, &kListAccess);
}

RecordHeaders CopyOf(const HeaderView& headers) {
  RecordHeaders copy;
  headers.ForEach([&copy](absl::string_view name, HeaderView::Value value) {
    copy.emplace_back(name, std::nullopt);
    if (value.has_value()) copy.back().second.emplace(*value);
  });
  return copy;
}

absl::StatusOr<RecordPlace> FirstPlace(const RawRecord& record) {
  if (!record.is_replay || record.replay_origin.empty()) {
    return RecordPlace{record.partition, record.offset};
  }
  const std::vector<absl::string_view> parts =
      absl::StrSplit(record.replay_origin, '/');
  int32_t partition = -1;
  int64_t offset = -1;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &partition) ||
      !absl::SimpleAtoi(parts[2], &offset) || partition < 0 || offset < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("header ", kReplayOriginHeader,
                     " is not topic/partition/offset: ", record.replay_origin));
  }
  return RecordPlace{PartitionId(partition), Offset(offset)};
}

uint64_t RecordHash(const RawRecord& record) {
  // A length of 0 stands for an absent part, n + 1 for one of n bytes.
  std::string length;
  PutFixed64LittleEndian(&length, record.has_key ? record.key.size() + 1 : 0);
  uint64_t hash = Fnv1a64(length);
  if (record.has_key) hash = Fnv1a64(record.key, hash);
  length.clear();
  PutFixed64LittleEndian(&length,
                         record.has_value ? record.value.size() + 1 : 0);
  hash = Fnv1a64(length, hash);
  if (record.has_value) hash = Fnv1a64(record.value, hash);
  return hash;
}

}  // namespace tidegate
