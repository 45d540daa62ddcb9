// The rows of one commit of a build: they go to the checkpoint as they are.
#ifndef TIDEGATE_VIEWS_STORE_BUILD_ROWS_H_
#define TIDEGATE_VIEWS_STORE_BUILD_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
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

// Keys and stored rows, encoded once, in pieces of memory that stay where they
// are, of a size that the allocator soon gives again. Of a change's `before` it
// keeps no more than whether there was one. Thread-compatible.
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
    const char* begin;  // the key, then the value
    uint32_t key_size;
    uint32_t value_size;
    bool exists;
  };
  // Copies `bytes` to where they stay.
  const char* Keep(absl::string_view bytes);

  const Seq seq_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* free_ = nullptr;  // in the last block
  size_t room_ = 0;       // behind it
  size_t block_bytes_ = 0;
  std::deque<Row> rows_;
  RowCountChanges counted_;
  std::string scratch_;
  size_t next_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_BUILD_ROWS_H_
