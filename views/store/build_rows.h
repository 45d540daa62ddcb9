// The rows of one commit of a build: they go to the checkpoint as they are.
#ifndef TIDEGATE_VIEWS_STORE_BUILD_ROWS_H_
#define TIDEGATE_VIEWS_STORE_BUILD_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "views/store/commit.h"
#include "views/store/key_filter.h"
#include "views/store/recovery.h"
#include "views/store/store.h"

namespace tidegate {

// Keys and stored rows, encoded once, in one piece of memory. Of a change's
// `before` it keeps no more than whether there was one. Thread-compatible.
class BuildRows final : public RowSource {
 public:
  explicit BuildRows(Seq seq) : seq_(seq) {}
  // Changes come by view, then key, each key once, before the first Next().
  void Add(const Change& change);
  bool Next(absl::string_view* key,
            std::optional<absl::string_view>* value) override;

  Seq seq() const { return seq_; }  // of the commit
  bool empty() const { return rows_.empty(); }
  size_t bytes() const;
  const RowCountChanges& counted() const { return counted_; }
  // Adds the keys of all rows that are stored, as RowKeyHash() has them.
  void AddKeysTo(KeyFilter* filter) const;

 private:
  struct Row {
    size_t begin;  // in bytes_
    uint32_t key_size;
    uint32_t value_size;
    bool exists;
  };
  const Seq seq_;
  std::string bytes_;
  std::vector<Row> rows_;
  RowCountChanges counted_;
  std::string scratch_;
  size_t next_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_BUILD_ROWS_H_
