// Which subscribers a commit concerns: found by key, so that a commit costs
// what it changed and not how many listen.
#ifndef TIDEGATE_GATEWAY_CORE_KEY_INDEX_H_
#define TIDEGATE_GATEWAY_CORE_KEY_INDEX_H_

#include <algorithm>
#include <cstddef>
#include <map>
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
    if (filter.all_rows && filter.prefix.empty()) {
      whole_[filter.view].insert(subscriber);
      return;
    }
    if (filter.all_rows) {
      auto& listeners = prefixes_[{filter.view, filter.prefix}];
      if (listeners.empty()) ++lengths_[filter.view][filter.prefix.size()];
      listeners.insert(subscriber);
      return;
    }
    for (const std::string& key : filter.keys) {
      AddKey(subscriber, filter.view, key);
    }
  }
  // One key more or less of a subscriber that has keys; each once.
  void AddKey(Subscriber subscriber, ViewId view, absl::string_view key) {
    keys_[{view, std::string(key)}].push_back(subscriber);
  }
  void RemoveKey(Subscriber subscriber, ViewId view, absl::string_view key) {
    const auto at = keys_.find(KeyView{view, key});
    if (at == keys_.end()) return;
    auto& listeners = at->second;
    const auto found =
        std::find(listeners.begin(), listeners.end(), subscriber);
    if (found == listeners.end()) return;
    *found = listeners.back();
    listeners.pop_back();
    if (listeners.empty()) keys_.erase(at);
  }
  // With the filter it was added with.
  void Remove(Subscriber subscriber, const SubscriptionFilter& filter) {
    if (filter.all_rows && !filter.prefix.empty()) {
      RemovePrefix(subscriber, filter);
      return;
    }
    if (filter.all_rows) {
      const auto view = whole_.find(filter.view);
      if (view == whole_.end()) return;
      view->second.erase(subscriber);
      if (view->second.empty()) whole_.erase(view);
      return;
    }
    for (const std::string& key : filter.keys) {
      RemoveKey(subscriber, filter.view, key);
    }
  }

  // Adds those who subscribe to a row that the commit changed, whatever their
  // `where`.
  void Collect(const Commit& commit,
               absl::flat_hash_set<Subscriber>* concerned) const {
    if (empty()) return;
    ViewId last;  // none has this id: ids begin at 1
    const Lengths* lengths = nullptr;
    for (const Change& change : commit.changes()) {
      if (!change.row_changed()) continue;
      if (change.view != last) {
        last = change.view;
        const auto view = whole_.find(last);
        if (view != whole_.end()) {
          concerned->insert(view->second.begin(), view->second.end());
        }
        const auto prefixes = lengths_.find(last);
        lengths = prefixes == lengths_.end() ? nullptr : &prefixes->second;
      }
      if (lengths != nullptr) CollectPrefixes(change, *lengths, concerned);
      const auto at = keys_.find(KeyView{change.view, change.key});
      if (at == keys_.end()) continue;
      concerned->insert(at->second.begin(), at->second.end());
    }
  }

  bool empty() const {
    return keys_.empty() && whole_.empty() && prefixes_.empty();
  }

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

  // How many prefixes there are of each length.
  using Lengths = std::map<size_t, size_t>;

  void RemovePrefix(Subscriber subscriber, const SubscriptionFilter& filter) {
    const auto at = prefixes_.find(KeyView{filter.view, filter.prefix});
    if (at == prefixes_.end()) return;
    at->second.erase(subscriber);
    if (!at->second.empty()) return;
    prefixes_.erase(at);
    const auto view = lengths_.find(filter.view);
    const auto length = view->second.find(filter.prefix.size());
    if (--length->second == 0) view->second.erase(length);
    if (view->second.empty()) lengths_.erase(view);
  }

  // One look-up a length, however many prefixes there are.
  void CollectPrefixes(const Change& change, const Lengths& lengths,
                       absl::flat_hash_set<Subscriber>* concerned) const {
    for (const auto& [length, count] : lengths) {
      if (length > change.key.size()) return;
      const auto at =
          prefixes_.find(KeyView{change.view, change.key.substr(0, length)});
      if (at == prefixes_.end()) continue;
      concerned->insert(at->second.begin(), at->second.end());
    }
  }

  absl::flat_hash_map<ViewId, absl::flat_hash_set<Subscriber>> whole_;
  absl::flat_hash_map<ViewId, Lengths> lengths_;
  absl::flat_hash_map<Key, absl::flat_hash_set<Subscriber>, Hash, Equal>
      prefixes_;
  absl::flat_hash_map<Key, absl::InlinedVector<Subscriber, 1>, Hash, Equal>
      keys_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_KEY_INDEX_H_
