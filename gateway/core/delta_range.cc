#include "gateway/core/delta_range.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

// Field tags and lengths around a change.
constexpr size_t kChangeOverhead = 10;

size_t EntryBytes(const DeltaRange::Entry& entry) {
  return kChangeOverhead + (entry.kind == ChangeKind::kUpsert
                                ? entry.row.size()
                                : entry.key.size());
}

// Tells "there is none" from an empty row by its address.
absl::string_view RowOrNull(bool there, absl::string_view row) {
  if (!there) return {};
  return row.data() == nullptr ? absl::string_view("") : row;
}

}  // namespace

bool SubscriptionFilter::InScope(absl::string_view key) const {
  if (all_rows) return absl::StartsWith(key, prefix);
  return std::binary_search(keys.begin(), keys.end(), key);
}

absl::StatusOr<bool> SubscriptionFilter::Matches(absl::string_view row) const {
  if (where == nullptr) return true;
  return where->Matches(row);
}

void DeltaRange::AddChange(const Change& change) {
  if (!change.row_changed()) return;
  Entry entry;
  entry.key = change.key;
  entry.before = RowOrNull(change.has_before, change.before);
  entry.row = RowOrNull(change.has_after, change.after);
  entry.corrected = change.corrected;
  entries_.push_back(entry);
  bytes_ += kChangeOverhead + std::max(change.key.size(), change.after.size());
}

void DeltaRange::Add(const std::shared_ptr<const Commit>& commit) {
  const absl::Span<const Change> changes = commit->changes_of(filter_->view);
  const size_t before = entries_.size();
  if (filter_->all_rows) {
    auto at = changes.begin();
    if (!filter_->prefix.empty()) {
      at = std::lower_bound(
          at, changes.end(), filter_->prefix,
          [](const Change& c, const std::string& p) { return c.key < p; });
    }
    for (; at != changes.end() && absl::StartsWith(at->key, filter_->prefix);
         ++at) {
      AddChange(*at);
    }
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
      if (filter_->InScope(change.key)) AddChange(change);
    }
  }
  if (entries_.size() == before) return;
  commits_.push_back(commit);
  conflated_ = false;
}

absl::Status DeltaRange::Judge(Entry* entry) const {
  const bool has_row = entry->row.data() != nullptr;
  if (entry->row_matches < 0) {
    entry->row_matches = 0;
    if (has_row) {
      ASSIGN_OR_RETURN(const bool matches, filter_->Matches(entry->row));
      entry->row_matches = matches ? 1 : 0;
    }
  }
  if (entry->row_matches == 1) {
    entry->kind = ChangeKind::kUpsert;
    return absl::OkStatus();
  }
  bool held = held_ == Held::kUnknown;
  if (!held) {
    if (entry->before_matches < 0) {
      entry->before_matches = 0;
      if (entry->before.data() != nullptr) {
        ASSIGN_OR_RETURN(const bool matched, filter_->Matches(entry->before));
        entry->before_matches = matched ? 1 : 0;
      }
    }
    held = entry->before_matches == 1;
  }
  entry->kind = !held     ? ChangeKind::kNone
                : has_row ? ChangeKind::kLeft
                          : ChangeKind::kDeleted;
  return absl::OkStatus();
}

// An entry of kNone may go at once, although more commits may follow: the row
// that their first change of the key begins with does not match either.
absl::Status DeltaRange::Conflate() {
  if (conflated_) return absl::OkStatus();
  if (commits_.size() > 1) {
    std::stable_sort(
        entries_.begin(), entries_.end(),
        [](const Entry& a, const Entry& b) { return a.key < b.key; });
  }
  size_t kept = 0;
  bytes_ = 0;
  for (size_t i = 0; i < entries_.size();) {
    Entry merged = entries_[i];
    for (++i; i < entries_.size() && entries_[i].key == merged.key; ++i) {
      merged.row = entries_[i].row;
      merged.row_matches = entries_[i].row_matches;
      merged.corrected = entries_[i].corrected;
    }
    RETURN_IF_ERROR(Judge(&merged));
    if (merged.kind == ChangeKind::kNone) continue;
    bytes_ += EntryBytes(merged);
    entries_[kept++] = merged;
  }
  entries_.resize(kept);
  conflated_ = true;
  return absl::OkStatus();
}

}  // namespace tidegate
