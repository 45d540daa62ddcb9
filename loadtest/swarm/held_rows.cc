#include "loadtest/swarm/held_rows.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "base/coding.h"

namespace tidegate::swarm {

bool HeldRows::KeyOf(absl::string_view message, std::string* key) const {
  WireField field;
  while (!message.empty()) {
    const char* const begin = message.data();
    if (!GetWireField(&message, &field)) return false;
    if (std::find(key_fields_->begin(), key_fields_->end(), field.number) ==
        key_fields_->end()) {
      continue;
    }
    key->append(begin, static_cast<size_t>(message.data() - begin));
  }
  return true;
}

bool HeldRows::Apply(const RowChange& change) {
  std::string key;
  if (!KeyOf(change.bytes, &key)) return false;
  if (change.upsert) {
    rows_[std::move(key)] = std::string(change.bytes);
  } else {
    rows_.erase(key);
  }
  return true;
}

uint64_t HeldRows::Hash() const {
  uint64_t hash = rows_.size();
  for (const auto& [key, row] : rows_) {
    hash = absl::HashOf(hash, key, row);
  }
  return hash;
}

std::vector<std::string> HeldRows::Rows() const {
  std::vector<std::string> rows;
  rows.reserve(rows_.size());
  for (const auto& [key, row] : rows_) rows.push_back(row);
  return rows;
}

}  // namespace tidegate::swarm
