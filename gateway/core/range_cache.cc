#include "gateway/core/range_cache.h"

#include <utility>

namespace tidegate {

void RangeCache::Leave(uint64_t filter) {
  const auto at = subscribers_.find(filter);
  if (at != subscribers_.end() && --at->second == 0) subscribers_.erase(at);
}

bool RangeCache::shared(uint64_t filter) const {
  const auto at = subscribers_.find(filter);
  return at != subscribers_.end() && at->second > 1;
}

const EncodedRange* RangeCache::Find(uint64_t filter, Seq from, Seq head) {
  const auto at = index_.find(Key(filter, from));
  if (at == index_.end()) return nullptr;
  const EncodedRange& range = at->second->range;
  if (!range.full && range.to != head) return nullptr;
  entries_.splice(entries_.end(), entries_, at->second);
  return &range;
}

size_t RangeCache::BytesOf(const EncodedRange& range) {
  // Of a list node and an entry of the index; the string and its counts.
  constexpr size_t kOverhead = 192;
  return kOverhead + (range.changes == nullptr ? 0 : range.changes->capacity());
}

void RangeCache::Drop(Entries::iterator entry) {
  bytes_ -= BytesOf(entry->range);
  index_.erase(entry->key);
  entries_.erase(entry);
}

void RangeCache::Put(uint64_t filter, EncodedRange range) {
  const Key key(filter, range.from);
  if (const auto at = index_.find(key); at != index_.end()) Drop(at->second);
  bytes_ += BytesOf(range);
  entries_.push_back({key, std::move(range)});
  index_[key] = std::prev(entries_.end());
  while (entries_.size() > kMaxCachedRanges || bytes_ > kMaxCachedRangeBytes) {
    Drop(entries_.begin());
  }
}

}  // namespace tidegate
