// Which subscribers a commit concerns: found by key, so that a commit costs
// what it changed and not how many listen.
#ifndef TIDEGATE_GATEWAY_CORE_KEY_INDEX_H_
#define TIDEGATE_GATEWAY_CORE_KEY_INDEX_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "gateway/core/delta_range.h"
#include "views/store/commit.h"

namespace tidegate {

// Of one pipeline, whose ViewIds tell its views apart. Thread-compatible.
// Memory: about 100 bytes and the key for each key that somebody subscribes to.
template <typename Subscriber>
class KeyIndex {
 public:
  // Each subscriber once.
  void Add(Subscriber subscriber, const SubscriptionFilter& filter) {
    if (filter.all_rows) {
      whole_[filter.view].insert(subscriber);
      return;
    }
    for (const std::string& key : filter.keys) {
      keys_[{filter.view, key}].push_back(subscriber);
    }
  }
  // With the filter it was added with.
  void Remove(Subscriber subscriber, const SubscriptionFilter& filter) {
    if (filter.all_rows) {
      const auto view = whole_.find(filter.view);
      if (view == whole_.end()) return;
      view->second.erase(subscriber);
      if (view->second.empty()) whole_.erase(view);
      return;
    }
    for (const std::string& key : filter.keys) {
      const auto at = keys_.find({filter.view, key});
      if (at == keys_.end()) continue;
      auto& listeners = at->second;
      for (size_t i = 0; i < listeners.size(); ++i) {
        if (listeners[i] != subscriber) continue;
        listeners[i] = listeners.back();
        listeners.pop_back();
        break;
      }
      if (listeners.empty()) keys_.erase(at);
    }
  }

  // Adds those who subscribe to a row that the commit changed.
  void Collect(const Commit& commit,
               absl::flat_hash_set<Subscriber>* concerned) const {
    if (keys_.empty() && whole_.empty()) return;
    ViewId last;  // none has this id: ids begin at 1
    for (const Change& change : commit.changes()) {
      if (!change.row_changed()) continue;
      if (change.view != last) {
        last = change.view;
        const auto view = whole_.find(last);
        if (view != whole_.end()) {
          concerned->insert(view->second.begin(), view->second.end());
        }
      }
      const auto at = keys_.find(KeyView{change.view, change.key});
      if (at == keys_.end()) continue;
      concerned->insert(at->second.begin(), at->second.end());
    }
  }

  bool empty() const { return keys_.empty() && whole_.empty(); }

 private:
  using Key = std::pair<ViewId, std::string>;
  using KeyView = std::pair<ViewId, absl::string_view>;
  struct Hash {
    using is_transparent = void;
    size_t operator()(const KeyView& key) const {
      return absl::Hash<KeyView>()(key);
    }
    size_t operator()(const Key& key) const {
      return operator()(KeyView{key.first, key.second});
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const KeyView& a, const KeyView& b) const { return a == b; }
  };

  absl::flat_hash_map<ViewId, absl::flat_hash_set<Subscriber>> whole_;
  absl::flat_hash_map<Key, absl::InlinedVector<Subscriber, 1>, Hash, Equal>
      keys_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_KEY_INDEX_H_
