// All rows of a pipeline at one sequence: overlay over base.
#ifndef TIDEGATE_VIEWS_STORE_READ_VIEW_H_
#define TIDEGATE_VIEWS_STORE_READ_VIEW_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace tidegate {

// Walks the rows of one view (those that clients see) in key order.
// Thread-compatible; keeps its ReadView alive.
class ViewIterator {
 public:
  virtual ~ViewIterator() = default;
  // To the first row with key >= `key`; SeekToFirst is Seek("").
  virtual void Seek(absl::string_view key) = 0;
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  virtual absl::string_view key() const = 0;  // memcomparable
  virtual absl::string_view row() const = 0;  // <View>Row
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
  // False if clients see no such row.
  virtual absl::StatusOr<bool> GetRow(ViewId view, absl::string_view key,
                                      std::string* row) const = 0;
  virtual std::unique_ptr<ViewIterator> NewIterator(ViewId view) const = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_READ_VIEW_H_
