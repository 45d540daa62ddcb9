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

#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "views/fold/entry_index.h"
#include "views/fold/key_prefix.h"
#include "views/fold/view_fold.h"

namespace tidegate {

// State is what a fold keeps per key; it has `size_t bytes() const`, the heap
// bytes it holds. It may have `Renew()`, which makes it as good as new but may
// keep memory, and `Prefetch() const`, for what lies apart from it.
//
// Runs on the fold thread. Entries stay in place until they are evicted, which
// only Find and Drain do, and never while they are dirty; then another key may
// take the entry over, with its memory.
template <typename State>
class KeyCache {
 public:
  struct Entry {
    // What every event of the key touches comes first, and together.
    std::string key;
    bool dirty = false;
    bool used = false;  // since the hand came by
    size_t hash = 0;
    State state;
    // As of the last commit.
    bool has_row = false;
    std::string row;
    std::string state_bytes;
    size_t counted_bytes = 0;
  };

  KeyCache(StoredLookup stored, size_t max_keys)
      : stored_(std::move(stored)), max_keys_(max_keys) {}

  static size_t HashOf(absl::string_view key) {
    return absl::Hash<absl::string_view>()(key);
  }

  // The entry of `key`; `load(Entry*)` decodes state_bytes and row into the
  // state of one that was stored. After an error the key has no entry.
  template <typename Load>
  absl::StatusOr<Entry*> Find(absl::string_view key, Load load) {
    return Find(key, HashOf(key), load);
  }
  template <typename Load>
  absl::StatusOr<Entry*> Find(absl::string_view key, size_t hash, Load load) {
    if (Entry* const found = Peek(key, hash)) return found;
    const size_t place = MakeRoom();
    Entry* const entry = ring_[place].get();
    const absl::Status filled = Fill(key, hash, load, entry);
    if (!filled.ok()) {
      Drop(place);
      return filled;
    }
    index_.Insert(entry);
    return entry;
  }
  // The entry of a key that is cached, or null.
  Entry* Peek(absl::string_view key, size_t hash) {
    Entry* const found = index_.Find(key, hash);
    if (found != nullptr) found->used = true;
    return found;
  }

  // For who has several keys to find: memory is fetched for PrefetchEntry, then
  // for Peek.
  void PrefetchIndex(size_t hash) const { index_.Prefetch(hash); }
  void PrefetchEntry(size_t hash) const {
    if (const Entry* const entry = index_.Guess(hash)) Prefetch(entry);
  }

  void MarkDirty(Entry* entry) {
    if (entry->dirty) return;
    entry->dirty = true;
    dirty_.push_back(entry);
  }

  // Calls `drain(Entry*)` for each dirty entry, in key order: what it leaves as
  // row and state_bytes is committed. After an error, which it returns, the
  // cache is of no more use.
  template <typename Fn>
  absl::Status Drain(Fn drain) {
    SortDirty();
    for (size_t i = 0; i < dirty_.size(); ++i) {
      if (i + 2 * kAhead < dirty_.size()) Prefetch(dirty_[i + 2 * kAhead]);
      if (i + kAhead < dirty_.size()) PrefetchState(*dirty_[i + kAhead]);
      RETURN_IF_ERROR(drain(dirty_[i]));
      dirty_[i]->dirty = false;
      Count(dirty_[i]);
    }
    dirty_.clear();
    while (ring_.size() > max_keys_) Drop(TakeOne());
    return absl::OkStatus();
  }

  // Of an entry that is at hand.
  static void PrefetchState(const Entry& entry) {
    if constexpr (requires { entry.state.Prefetch(); }) entry.state.Prefetch();
  }

  size_t dirty_keys() const { return dirty_.size(); }
  size_t keys() const { return index_.size(); }
  // Clean entries exactly; dirty ones as of when they were clean.
  size_t bytes() const { return bytes_; }

 private:
  // An entry of so many bytes is not taken over: its memory is given back.
  static constexpr size_t kMaxKeptBytes = 4096;
  static constexpr size_t kAhead = 4;
  static constexpr size_t kLine = 64;

  static void Prefetch(const Entry* entry) {
    for (size_t at = 0; at < sizeof(Entry); at += kLine) {
      __builtin_prefetch(reinterpret_cast<const char*>(entry) + at);
    }
  }

  // Sorts dirty_ by eight bytes of each key behind what all of them share,
  // which lie together, before it goes to the entries.
  void SortDirty() {
    if (dirty_.empty()) return;
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
  }

  void Count(Entry* entry) {
    bytes_ -= entry->counted_bytes;
    entry->counted_bytes = sizeof(Entry) + entry->key.capacity() +
                           entry->row.capacity() +
                           entry->state_bytes.capacity() + entry->state.bytes();
    bytes_ += entry->counted_bytes;
  }

  template <typename Load>
  absl::Status Fill(absl::string_view key, size_t hash, Load load,
                    Entry* entry) {
    entry->key.assign(key.data(), key.size());
    entry->hash = hash;
    Renew(&entry->state);
    entry->row.clear();
    entry->state_bytes.clear();
    Stored stored;
    ASSIGN_OR_RETURN(const bool is_stored, stored_(key, &stored));
    entry->has_row = is_stored && stored.has_row;
    if (entry->has_row) entry->row.assign(stored.row.data(), stored.row.size());
    if (is_stored) {
      entry->state_bytes.assign(stored.state.data(), stored.state.size());
    }
    RETURN_IF_ERROR(load(entry));
    entry->used = true;
    Count(entry);
    return absl::OkStatus();
  }

  static void Renew(State* state) {
    if constexpr (requires { state->Renew(); }) {
      state->Renew();
    } else {
      *state = State();
    }
  }

  // The place of an entry that no key has.
  size_t MakeRoom() {
    const size_t size = ring_.size();
    if (size >= max_keys_ && dirty_.size() < size &&
        dirty_.size() <= size - size / 4) {
      return TakeOne();
    }
    ring_.push_back(std::make_unique<Entry>());
    return size;
  }

  // Takes its key from a clean entry, if it can from one that was not used
  // since the hand came by; its place. Requires a clean one.
  size_t TakeOne() {
    for (;;) {
      hand_ = hand_ + 1 < ring_.size() ? hand_ + 1 : 0;
      if (hand_ + 2 * kAhead < ring_.size()) {
        Prefetch(ring_[hand_ + 2 * kAhead].get());
        PrefetchIndex(ring_[hand_ + kAhead]->hash);
      }
      Entry* const entry = ring_[hand_].get();
      if (entry->dirty || std::exchange(entry->used, false)) continue;
      index_.Erase(entry);
      bytes_ -= entry->counted_bytes;
      if (entry->counted_bytes > kMaxKeptBytes) *entry = Entry();
      entry->counted_bytes = 0;
      return hand_;
    }
  }

  // Requires an entry that no key has.
  void Drop(size_t place) {
    bytes_ -= ring_[place]->counted_bytes;
    std::swap(ring_[place], ring_.back());
    ring_.pop_back();
  }

  const StoredLookup stored_;
  const size_t max_keys_;
  EntryIndex<Entry> index_;
  // Every entry: the clock's face, and its hand.
  std::vector<std::unique_ptr<Entry>> ring_;
  size_t hand_ = 0;
  std::vector<Entry*> dirty_;
  std::vector<std::pair<uint64_t, Entry*>> sorted_;  // scratch of SortDirty
  size_t bytes_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_KEY_CACHE_H_
