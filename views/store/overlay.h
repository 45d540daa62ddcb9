// The newest rows since the last checkpoint: sorted immutable runs.
#ifndef TIDEGATE_VIEWS_STORE_OVERLAY_H_
#define TIDEGATE_VIEWS_STORE_OVERLAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "views/store/commit.h"

namespace tidegate {

// What a run says of a key: as in a Change, `exists` false for a key that is
// gone. Key, row and state lie in the run's own memory, one after another.
struct OverlayEntry {
  const char* data = nullptr;
  uint32_t key_size = 0;
  uint32_t row_size = 0;
  uint32_t state_size = 0;
  uint32_t hash = 0;  // OverlayHash(view, key)
  ViewId view;
  bool exists = false;
  bool has_row = false;
  bool corrected = false;  // as in a Change
  Seq seq;

  absl::string_view key() const { return {data, key_size}; }
  absl::string_view row() const { return {data + key_size, row_size}; }
  absl::string_view state() const {
    return {data + key_size + row_size, state_size};
  }
};

// The same only within one process.
uint32_t OverlayHash(ViewId view, absl::string_view key);

class OverlayRun;
// Oldest first: of two entries for a key the later run's is the newer.
using OverlayRuns = std::vector<std::shared_ptr<const OverlayRun>>;

// Entries by view, then key, each key once; found by hash too, so that a look-
// up costs about one cache miss for every run that has not the key. Immutable
// and thread-safe; shared by the versions of the store that readers hold.
class OverlayRun {
 public:
  // Null if the commit changes nothing.
  static std::shared_ptr<const OverlayRun> FromCommit(const Commit& commit);
  // The newest entry of every key of at least one run.
  static std::shared_ptr<const OverlayRun> Merge(
      absl::Span<const std::shared_ptr<const OverlayRun>> oldest_first);

  absl::Span<const OverlayEntry> entries() const { return entries_; }
  // The commits it covers.
  Seq first_seq() const { return first_seq_; }
  Seq last_seq() const { return last_seq_; }
  // All memory it holds.
  size_t bytes() const;
  // Null if it has no such key. `hash` is OverlayHash(view, key).
  const OverlayEntry* Find(ViewId view, absl::string_view key,
                           uint32_t hash) const;
  // The first entry at or after (view, key).
  const OverlayEntry* LowerBound(ViewId view, absl::string_view key) const;

 private:
  OverlayRun() = default;
  void BuildIndex();

  std::vector<OverlayEntry> entries_;
  std::unique_ptr<char[]> data_;
  size_t data_bytes_ = 0;
  std::vector<uint32_t> slots_;  // entry number + 1, by hash; empty: scan
  Seq first_seq_;
  Seq last_seq_;
};

// A run this big is merged no further: it bounds how long one commit can take.
// A reader may then meet max_overlay_bytes / kMaxMergeInputBytes runs and a
// few.
inline constexpr size_t kMaxMergeInputBytes = 2u << 20;
// So many runs of like size become one: an entry is copied about
// log4(kMaxMergeInputBytes / its size) times.
inline constexpr size_t kMergeWidth = 4;

// Adds the newest run (may be null) and merges runs of like size, but none that
// has commits at or below `frozen`.
void PushRun(std::shared_ptr<const OverlayRun> run, Seq frozen,
             OverlayRuns* runs);

// Null if no run has the key.
const OverlayEntry* FindNewest(const OverlayRuns& runs, ViewId view,
                               absl::string_view key);

// Walks the newest entry of every key in order. Thread-compatible; the runs
// must outlive it.
class OverlayMerger {
 public:
  explicit OverlayMerger(
      absl::Span<const std::shared_ptr<const OverlayRun>> oldest_first);
  void SeekToFirst();
  void Seek(ViewId view, absl::string_view key);
  bool Valid() const { return !heap_.empty(); }
  void Next();
  const OverlayEntry& entry() const { return *heap_.front().at; }

 private:
  struct Cursor {
    const OverlayEntry* at;
    const OverlayEntry* end;
    size_t age;  // higher is newer
  };
  // For a heap whose front is the smallest key, its newest entry first.
  static bool After(const Cursor& a, const Cursor& b);
  void Push(Cursor cursor);
  void AdvanceFront();

  const absl::Span<const std::shared_ptr<const OverlayRun>> runs_;
  std::vector<Cursor> heap_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_OVERLAY_H_
