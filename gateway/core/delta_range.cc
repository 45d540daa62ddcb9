#include "gateway/core/delta_range.h"

#include <algorithm>

#include "absl/types/span.h"

namespace tidegate {
namespace {

// Field tags and lengths around a change.
constexpr size_t kChangeOverhead = 10;

size_t EntryBytes(const DeltaRange::Entry& entry) {
  return kChangeOverhead +
         (entry.has_row ? entry.row.size() : entry.key.size());
}

}  // namespace

void DeltaRange::AddChange(const Change& change) {
  if (!change.row_changed()) return;
  entries_.push_back({change.key, change.has_before, change.has_after,
                      change.after, change.corrected});
  bytes_ += EntryBytes(entries_.back());
}

void DeltaRange::Add(const std::shared_ptr<const Commit>& commit) {
  const absl::Span<const Change> changes = commit->changes_of(filter_->view);
  const size_t before = entries_.size();
  if (filter_->all_rows) {
    for (const Change& change : changes) AddChange(change);
  } else if (filter_->keys.size() < changes.size()) {
    auto at = changes.begin();
    for (const std::string& key : filter_->keys) {
      at = std::lower_bound(
          at, changes.end(), key,
          [](const Change& c, const std::string& k) { return c.key < k; });
      if (at == changes.end()) break;
      if (at->key == key) AddChange(*at);
    }
  } else {
    for (const Change& change : changes) {
      if (std::binary_search(filter_->keys.begin(), filter_->keys.end(),
                             change.key)) {
        AddChange(change);
      }
    }
  }
  if (entries_.size() == before) return;
  commits_.push_back(commit);
  if (before > 0) sorted_ = false;
}

const std::vector<DeltaRange::Entry>& DeltaRange::Conflated() {
  if (sorted_) return entries_;
  std::stable_sort(
      entries_.begin(), entries_.end(),
      [](const Entry& a, const Entry& b) { return a.key < b.key; });
  size_t kept = 0;
  bytes_ = 0;
  for (size_t i = 0; i < entries_.size();) {
    Entry merged = entries_[i];
    for (++i; i < entries_.size() && entries_[i].key == merged.key; ++i) {
      merged.has_row = entries_[i].has_row;
      merged.row = entries_[i].row;
      merged.corrected = entries_[i].corrected;
    }
    bytes_ += EntryBytes(merged);
    entries_[kept++] = merged;
  }
  entries_.resize(kept);
  sorted_ = true;
  return entries_;
}

}  // namespace tidegate
