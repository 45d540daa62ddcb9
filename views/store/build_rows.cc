#include "views/store/build_rows.h"

#include "views/store/materialized_store.h"
#include "views/store/store_version.h"

namespace tidegate {

void BuildRows::Add(const Change& change) {
  Row row;
  row.begin = bytes_.size();
  EncodeRowKey(change.view, change.key, &scratch_);
  row.key_size = static_cast<uint32_t>(scratch_.size());
  bytes_ += scratch_;
  row.exists = change.has_after || !change.state.empty();
  if (row.exists) {
    AppendStoredRow(
        seq_, {change.has_after, change.corrected, change.after, change.state},
        &bytes_);
  }
  row.value_size =
      static_cast<uint32_t>(bytes_.size() - row.begin - row.key_size);
  rows_.push_back(row);
  if (change.has_before != change.has_after) {
    counted_[change.view] += change.has_after ? 1 : -1;
  }
}

bool BuildRows::Next(absl::string_view* key,
                     std::optional<absl::string_view>* value) {
  if (next_ == rows_.size()) return false;
  const Row& row = rows_[next_++];
  const absl::string_view bytes = absl::string_view(bytes_).substr(row.begin);
  *key = bytes.substr(0, row.key_size);
  value->reset();
  if (row.exists) *value = bytes.substr(row.key_size, row.value_size);
  return true;
}

void BuildRows::AddKeysTo(KeyFilter* filter) const {
  for (const Row& row : rows_) {
    if (!row.exists) continue;
    filter->Add(
        RowKeyHash(absl::string_view(bytes_).substr(row.begin, row.key_size)));
  }
}

size_t BuildRows::bytes() const {
  return bytes_.capacity() + rows_.capacity() * sizeof(Row);
}

}  // namespace tidegate
