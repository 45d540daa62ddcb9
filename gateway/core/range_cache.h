// Encoded changes of ranges of the log that several subscribers of one filter
// read: a change is serialized, and a filter evaluated on it, once.
#ifndef TIDEGATE_GATEWAY_CORE_RANGE_CACHE_H_
#define TIDEGATE_GATEWAY_CORE_RANGE_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/ids.h"
#include "gateway/core/message.h"

namespace tidegate {

inline constexpr size_t kMaxCachedRanges = 1024;
inline constexpr size_t kMaxCachedRangeBytes = 16u << 20;

// The changes of (from, to] that one filter lets through, as the fields of one
// message. Immutable.
struct EncodedRange {
  Seq from;             // exclusive
  Seq to;               // inclusive, at a commit's end
  bool full = false;    // it ends there however long the log has become
  SharedBytes changes;  // null: none
  size_t count = 0;
  ProcessingTime oldest_commit;
  ProcessingTime newest_commit;
  EventTime watermark = kNoEventTime;
};

// A filter is told by a hash of all that decides what a range of it contains:
// equal ones share. Least recently used first out. Of the fan-out's thread; one
// for each pipeline and life of its store. Ranges that need several messages
// are not kept.
class RangeCache {
 public:
  // Subscribers of a filter make themselves known, so that nothing is kept for
  // a filter that only one has.
  void Join(uint64_t filter) { ++subscribers_[filter]; }
  void Leave(uint64_t filter);
  bool shared(uint64_t filter) const;

  // The range that who stands at `from` would read if the log ends at `head`;
  // null if it is not kept. Valid until the next call of Put.
  const EncodedRange* Find(uint64_t filter, Seq from, Seq head);
  // In place of one that begins where it does.
  void Put(uint64_t filter, EncodedRange range);

  size_t size() const { return entries_.size(); }
  // Of what is kept, its own overhead included.
  size_t bytes() const { return bytes_; }

 private:
  using Key = std::pair<uint64_t, Seq>;  // of the filter; where it begins
  struct Entry {
    Key key;
    EncodedRange range;
  };
  using Entries = std::list<Entry>;  // least recently used first
  static size_t BytesOf(const EncodedRange& range);
  void Drop(Entries::iterator entry);

  absl::flat_hash_map<uint64_t, uint32_t> subscribers_;
  Entries entries_;
  absl::flat_hash_map<Key, Entries::iterator> index_;
  size_t bytes_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_RANGE_CACHE_H_
