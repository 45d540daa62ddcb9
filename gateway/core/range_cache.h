// Encoded changes of ranges of the log that several subscribers of one filter
// read: a change is serialized, and a filter evaluated on it, once.
#ifndef TIDEGATE_GATEWAY_CORE_RANGE_CACHE_H_
#define TIDEGATE_GATEWAY_CORE_RANGE_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

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
  SharedBytes changes;  // null: none
  size_t count = 0;
  ProcessingTime oldest_commit;
  ProcessingTime newest_commit;
  EventTime watermark = kNoEventTime;
};

// Least recently used first out. Of the fan-out's thread; one for each
// pipeline. Ranges that need several messages are not kept.
class RangeCache {
 public:
  // Subscribers of a filter make themselves known, so that nothing is kept for
  // a filter that only one has.
  void Join(uint64_t filter_hash);
  void Leave(uint64_t filter_hash);
  bool shared(uint64_t filter_hash) const;

  // A range from `from` on that ends at `newest` or as late as any kept; null
  // if there is none. Valid until the next Put.
  const EncodedRange* Find(uint64_t filter_hash, Seq from) const;
  void Put(uint64_t filter_hash, EncodedRange range);

  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    uint64_t filter_hash;
    EncodedRange range;
  };
  using Entries = std::list<Entry>;  // oldest first

  absl::flat_hash_map<uint64_t, uint32_t> subscribers_;
  Entries entries_;
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, Entries::iterator> index_;
  size_t bytes_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_RANGE_CACHE_H_
