// The keys of a view that a fold holds decoded, over what is stored.
#ifndef TIDEGATE_VIEWS_FOLD_KEY_CACHE_H_
#define TIDEGATE_VIEWS_FOLD_KEY_CACHE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "views/fold/key_prefix.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// State is what a fold keeps per key; it has `size_t bytes() const`, the heap
// bytes it holds.
//
// Runs on the fold thread. Entries stay in place until they are evicted, which
// only Find and FinishDrain do, and never while they are dirty.
template <typename State>
class KeyCache {
 public:
  struct Entry {
    // What every event of the key touches comes first, and together.
    std::string key;
    bool dirty = false;
    bool used = false;  // since the last eviction
    State state;
    // As of the last commit.
    bool has_row = false;
    std::string row;
    std::string state_bytes;
    size_t counted_bytes = 0;
  };

  KeyCache(StoredLookup stored, size_t max_keys)
      : stored_(std::move(stored)), max_keys_(max_keys) {}

  // The entry of `key`; `load(Entry*)` decodes state_bytes and row into the
  // state of one that was stored. Errors leave the cache as it was.
  template <typename Load>
  absl::StatusOr<Entry*> Find(absl::string_view key, Load load) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
      found->second->used = true;
      return found->second.get();
    }
    auto entry = std::make_unique<Entry>();
    entry->key = std::string(key);
    Stored stored;
    ASSIGN_OR_RETURN(const bool is_stored, stored_(key, &stored));
    if (is_stored) {
      entry->has_row = stored.has_row;
      if (stored.has_row) entry->row = std::string(stored.row);
      entry->state_bytes = std::string(stored.state);
    }
    RETURN_IF_ERROR(load(entry.get()));
    if (entries_.size() >= max_keys_ &&
        dirty_.size() <= entries_.size() - entries_.size() / 4) {
      Evict(max_keys_ - max_keys_ / 4);
    }
    Entry* const raw = entry.get();
    raw->used = true;
    Count(raw);
    entries_.emplace(raw->key, std::move(entry));
    return raw;
  }

  void MarkDirty(Entry* entry) {
    if (entry->dirty) return;
    entry->dirty = true;
    dirty_.push_back(entry);
  }

  // The dirty entries, in key order. Compares eight bytes of each key behind
  // what all of them share, which lie together, before it goes to the entries.
  const std::vector<Entry*>& SortDirty() {
    if (dirty_.empty()) return dirty_;
    const absl::string_view first = dirty_.front()->key;
    size_t shared = first.size();
    for (const Entry* entry : dirty_) {
      shared = SharedPrefix(first.substr(0, shared), entry->key);
    }
    sorted_.clear();
    for (Entry* entry : dirty_) {
      sorted_.emplace_back(
          PrefixNumber(absl::string_view(entry->key).substr(shared)), entry);
    }
    std::sort(sorted_.begin(), sorted_.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first < b.first
                                : a.second->key < b.second->key;
    });
    for (size_t i = 0; i < dirty_.size(); ++i) dirty_[i] = sorted_[i].second;
    return dirty_;
  }

  // What the dirty entries hold as row and state_bytes is committed now.
  void FinishDrain() {
    for (Entry* const entry : dirty_) {
      entry->dirty = false;
      Count(entry);
    }
    dirty_.clear();
    if (entries_.size() > max_keys_) Evict(max_keys_ - max_keys_ / 4);
  }

  size_t dirty_keys() const { return dirty_.size(); }
  size_t keys() const { return entries_.size(); }
  // Clean entries exactly; dirty ones as of when they were clean.
  size_t bytes() const { return bytes_; }

 private:
  void Count(Entry* entry) {
    bytes_ -= entry->counted_bytes;
    entry->counted_bytes = sizeof(Entry) + entry->key.capacity() +
                           entry->row.capacity() +
                           entry->state_bytes.capacity() + entry->state.bytes();
    bytes_ += entry->counted_bytes;
  }

  // Leaves `target` entries if that many are clean: first those not used since
  // the last time, then any.
  void Evict(size_t target) {
    for (const bool spare_used : {true, false}) {
      for (auto it = entries_.begin();
           it != entries_.end() && entries_.size() > target;) {
        Entry* const entry = it->second.get();
        if (entry->dirty || (spare_used && entry->used)) {
          entry->used = false;
          ++it;
          continue;
        }
        bytes_ -= entry->counted_bytes;
        entries_.erase(it++);
      }
    }
  }

  const StoredLookup stored_;
  const size_t max_keys_;
  // By Entry::key.
  absl::flat_hash_map<absl::string_view, std::unique_ptr<Entry>> entries_;
  std::vector<Entry*> dirty_;
  std::vector<std::pair<uint64_t, Entry*>> sorted_;  // scratch of SortDirty
  size_t bytes_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_KEY_CACHE_H_
