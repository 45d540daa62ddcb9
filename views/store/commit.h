// A commit: one record of the change log, atomic by itself.
#ifndef TIDEGATE_VIEWS_STORE_COMMIT_H_
#define TIDEGATE_VIEWS_STORE_COMMIT_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "views/store/position.h"

namespace tidegate {

// What a commit did to one key of one view; borrows from the commit's record.
// A key whose row did not change but whose state did has before == after.
struct Change {
  ViewId view;
  absl::string_view key;  // memcomparable
  bool has_before = false;
  absl::string_view before;  // <View>Row at the commit before
  bool has_after = false;
  absl::string_view after;
  absl::string_view state;  // empty with !has_after: the entry is gone
  // The row was amended after its window had closed, now or before.
  bool corrected = false;

  // False for changes of state alone, which subscribers never see. Whatever
  // touches a corrected row counts, also where its bytes stay the same: the
  // mark may be new, and a change does not say what was marked before.
  bool row_changed() const {
    return has_before != has_after || before != after ||
           (has_after && corrected);
  }
};

// An immutable, decoded commit over its own record bytes. Thread-safe.
class Commit {
 public:
  // DataLoss if the bytes are malformed (there is a checksum).
  static absl::StatusOr<std::shared_ptr<const Commit>> Parse(
      std::string record);

  Seq seq() const { return seq_; }
  // The clock when it was committed.
  ProcessingTime committed_at() const { return committed_at_; }
  // The earliest Kafka timestamp among the records folded in it, in
  // milliseconds; 0 if there was none. For latency by stage.
  int64_t first_record_ms() const { return first_record_ms_; }
  EventTime watermark() const { return positions_.watermark; }
  const Positions& positions() const { return positions_; }
  // By view, then key; at most one per key.
  absl::Span<const Change> changes() const { return changes_; }
  // The changes of one view: a contiguous part of changes().
  absl::Span<const Change> changes_of(ViewId view) const;
  absl::string_view record() const { return record_; }

 private:
  Commit() = default;
  std::string record_;
  Seq seq_;
  ProcessingTime committed_at_;
  int64_t first_record_ms_ = 0;
  Positions positions_;
  std::vector<Change> changes_;
};

// Builds a record. Thread-compatible. Changes come by view, then key.
class CommitBuilder {
 public:
  void Add(const Change& change);
  size_t change_count() const { return count_; }
  size_t bytes() const { return body_.size(); }
  // The record; the builder is empty again.
  std::string Finish(Seq seq, ProcessingTime committed_at,
                     int64_t first_record_ms, const Positions& positions);

 private:
  std::string body_;
  size_t count_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_COMMIT_H_
