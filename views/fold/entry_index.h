// Entries found by their keys, with memory fetched ahead.
#ifndef TIDEGATE_VIEWS_FOLD_ENTRY_INDEX_H_
#define TIDEGATE_VIEWS_FOLD_ENTRY_INDEX_H_

#include <cstddef>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// Entry has a `key` and its `hash`, which do not change while it is in here. A
// hash lies with the pointer: entries of other keys are not looked at.
// Thread-compatible.
template <typename Entry>
class EntryIndex {
 public:
  // Null if there is none.
  Entry* Find(absl::string_view key, size_t hash) const {
    const auto found = slots_.find(Probe{hash, key});
    return found == slots_.end() ? nullptr : found->entry;
  }
  // Most likely what Find would return of a key with this hash, whose entry is
  // not looked at.
  Entry* Guess(size_t hash) const {
    const auto found = slots_.find(HashOnly{hash});
    return found == slots_.end() ? nullptr : found->entry;
  }
  // Has what the others read of this hash fetched.
  void Prefetch(size_t hash) const { slots_.prefetch(HashOnly{hash}); }
  void Insert(Entry* entry) { slots_.insert(Slot{entry->hash, entry}); }
  void Erase(Entry* entry) { slots_.erase(Slot{entry->hash, entry}); }
  size_t size() const { return slots_.size(); }

 private:
  struct Slot {
    size_t hash;
    Entry* entry;
  };
  struct Probe {
    size_t hash;
    absl::string_view key;
  };
  struct HashOnly {
    size_t hash;
  };
  struct HashOf {
    using is_transparent = void;
    template <typename T>
    size_t operator()(const T& one) const {
      return one.hash;
    }
  };
  struct Same {
    using is_transparent = void;
    bool operator()(const Slot& a, const Slot& b) const {
      return a.entry == b.entry;
    }
    bool operator()(const Slot& a, const Probe& b) const {
      return a.hash == b.hash && a.entry->key == b.key;
    }
    bool operator()(const Slot& a, const HashOnly& b) const {
      return a.hash == b.hash;
    }
  };

  absl::flat_hash_set<Slot, HashOf, Same> slots_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_ENTRY_INDEX_H_
