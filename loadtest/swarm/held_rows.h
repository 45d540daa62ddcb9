// The rows a subscriber holds, so that at the end it can be told whether they
// are the right ones. Pure.
#ifndef TIDEGATE_LOADTEST_SWARM_HELD_ROWS_H_
#define TIDEGATE_LOADTEST_SWARM_HELD_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"

namespace tidegate::swarm {

// A change of a response; the bytes borrow from it.
struct RowChange {
  bool upsert = false;      // else the key has left, or was deleted
  absl::string_view bytes;  // <View>Row if upsert, else <View>Key
};

// Of one watch. Thread-compatible. Rows are kept as they came.
class HeldRows {
 public:
  // `key_fields`: the numbers of the key columns; must outlive it.
  // DataLoss-like trouble (bytes that cannot be read) makes Apply return false.
  explicit HeldRows(const std::vector<uint32_t>* key_fields)
      : key_fields_(key_fields) {}
  bool Apply(const RowChange& change);
  void Clear() { rows_.clear(); }
  size_t size() const { return rows_.size(); }
  // By key, as a hash of all of it and as the rows themselves.
  uint64_t Hash() const;
  std::vector<std::string> Rows() const;

 private:
  // The key fields of a row or key, as they are on the wire.
  bool KeyOf(absl::string_view message, std::string* key) const;

  const std::vector<uint32_t>* key_fields_;
  absl::btree_map<std::string, std::string> rows_;
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_HELD_ROWS_H_
