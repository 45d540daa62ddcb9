#include "views/store/build_rows.h"

#include <algorithm>
#include <cstring>

#include "views/store/materialized_store.h"
#include "views/store/store_version.h"

namespace tidegate {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 18;

}  // namespace

const char* BuildRows::Keep(absl::string_view bytes) {
  if (bytes.size() > room_) {
    const size_t size = std::max(bytes.size(), kBlockBytes);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    free_ = blocks_.back().get();
    room_ = size;
    block_bytes_ += size;
  }
  char* const kept = free_;
  std::memcpy(kept, bytes.data(), bytes.size());
  free_ += bytes.size();
  room_ -= bytes.size();
  return kept;
}

void BuildRows::Add(const Change& change) {
  Row row;
  EncodeRowKey(change.view, change.key, &scratch_);
  row.key_size = static_cast<uint32_t>(scratch_.size());
  row.exists = change.has_after || !change.state.empty();
  if (row.exists) {
    AppendStoredRow(
        seq_, {change.has_after, change.corrected, change.after, change.state},
        &scratch_);
  }
  row.value_size = static_cast<uint32_t>(scratch_.size() - row.key_size);
  row.begin = Keep(scratch_);
  rows_.push_back(row);
  if (change.has_before != change.has_after) {
    counted_[change.view] += change.has_after ? 1 : -1;
  }
}

bool BuildRows::Next(absl::string_view* key,
                     std::optional<absl::string_view>* value) {
  if (next_ == rows_.size()) return false;
  const Row& row = rows_[next_++];
  *key = absl::string_view(row.begin, row.key_size);
  value->reset();
  if (row.exists) {
    *value = absl::string_view(row.begin + row.key_size, row.value_size);
  }
  return true;
}

void BuildRows::AddKeysTo(KeyFilter* filter) const {
  for (const Row& row : rows_) {
    if (!row.exists) continue;
    filter->Add(RowKeyHash(absl::string_view(row.begin, row.key_size)));
  }
}

size_t BuildRows::bytes() const {
  return block_bytes_ + rows_.size() * sizeof(Row);
}

}  // namespace tidegate
