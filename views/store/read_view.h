// All rows of a pipeline at one sequence: overlay over base.
#ifndef TIDEGATE_VIEWS_STORE_READ_VIEW_H_
#define TIDEGATE_VIEWS_STORE_READ_VIEW_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace tidegate {

// What is stored for a key; the views borrow.
struct StoredEntry {
  bool has_row = false;
  bool corrected = false;  // as in a Change
  absl::string_view row;   // <View>Row
  absl::string_view state;
  Seq seq;  // of the commit that last touched it
};

// Walks the rows of one view in key order: those that clients see, or all that
// is stored. Thread-compatible; keeps its ReadView alive.
class ViewIterator {
 public:
  virtual ~ViewIterator() = default;
  // To the first row with key >= `key`; SeekToFirst is Seek("").
  virtual void Seek(absl::string_view key) = 0;
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  virtual absl::string_view key() const = 0;  // memcomparable
  virtual const StoredEntry& entry() const = 0;
  absl::string_view row() const { return entry().row; }
  virtual absl::Status status() const = 0;
};

// Immutable and thread-safe. Pins overlay runs and store files: holders bound
// its age.
class ReadView : public std::enable_shared_from_this<ReadView> {
 public:
  virtual ~ReadView() = default;
  // The commit these rows are as of.
  virtual Seq seq() const = 0;
  virtual EventTime watermark() const = 0;
  // False if clients see no such row. `corrected` and `last_seq`, the commit
  // that last touched row or state, may be null; without a row last_seq is that
  // commit or 0.
  virtual absl::StatusOr<bool> GetRow(ViewId view, absl::string_view key,
                                      std::string* row,
                                      bool* corrected = nullptr,
                                      Seq* last_seq = nullptr) const = 0;
  enum class Which : uint8_t { kRows, kAllEntries };
  virtual std::unique_ptr<ViewIterator> NewIterator(
      ViewId view, Which which = Which::kRows) const = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_READ_VIEW_H_
