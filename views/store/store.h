// The seam to durable storage: the change log, the rows as of the last
// checkpoint, and a little metadata. RocksDB implements it, and a simulated one
// that can lose what was not synced; one conformance suite holds both.
#ifndef TIDEGATE_VIEWS_STORE_STORE_H_
#define TIDEGATE_VIEWS_STORE_STORE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace tidegate {

// Walks rows in key order. Thread-compatible; must not outlive its snapshot.
class RowIterator {
 public:
  virtual ~RowIterator() = default;
  // To the first row with key >= `key`.
  virtual void Seek(absl::string_view key) = 0;
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  virtual absl::string_view key() const = 0;
  virtual absl::string_view value() const = 0;
  // Not OK: Valid() is false because of an error.
  virtual absl::Status status() const = 0;
};

// Rows and checkpoint record at one point in time. Thread-safe. Keeps old
// files alive: whoever holds one for long needs a limit on its age.
class StoreSnapshot {
 public:
  virtual ~StoreSnapshot() = default;
  // The checkpoint record these rows belong to; empty before the first.
  virtual absl::string_view checkpoint() const = 0;
  // False if there is no such row.
  virtual absl::StatusOr<bool> Get(absl::string_view key,
                                   std::string* value) const = 0;
  virtual std::unique_ptr<RowIterator> NewIterator() const = 0;
};

// The changed rows of a checkpoint, in ascending key order, each key once.
class RowSource {
 public:
  virtual ~RowSource() = default;
  // False at the end. A null value deletes the row. Both borrow until the next
  // call.
  virtual bool Next(absl::string_view* key,
                    std::optional<absl::string_view>* value) = 0;
};

// Thread-safe, except that AppendLog and Checkpoint each have one caller at a
// time.
class Store {
 public:
  virtual ~Store() = default;

  // Appends the record of `seq` atomically. Survives the death of the process,
  // but not of the machine unless SyncLog() came after.
  virtual absl::Status AppendLog(Seq seq, absl::string_view record) = 0;
  // Everything appended so far survives the machine.
  virtual absl::Status SyncLog() = 0;
  // Calls `sink` with the records of seq > `after` in order until it returns
  // false or the log ends.
  virtual absl::Status ReadLog(
      Seq after,
      absl::FunctionRef<bool(Seq seq, absl::string_view record)> sink) = 0;
  // The first record there is; nullopt if the log is empty.
  virtual absl::StatusOr<std::optional<Seq>> FirstLogSeq() = 0;
  // Forgets records of seq <= `through`; may happen lazily, so ReadLog may
  // still see some of them after a restart.
  virtual absl::Status TrimLog(Seq through) = 0;

  // Replaces rows and the checkpoint record in one atomic, durable step. Does
  // not sync the log: that is the caller's duty, before.
  virtual absl::Status Checkpoint(RowSource* rows,
                                  absl::string_view checkpoint_record) = 0;
  virtual std::shared_ptr<const StoreSnapshot> Snapshot() = 0;

  // Small records by name, durable (synced) on return.
  virtual absl::Status PutMeta(absl::string_view name,
                               absl::string_view value) = 0;
  virtual absl::StatusOr<std::optional<std::string>> GetMeta(
      absl::string_view name) = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_STORE_H_
