// The identifiers and instants that must not be mixed up.
#ifndef TIDEGATE_BASE_IDS_H_
#define TIDEGATE_BASE_IDS_H_

#include <compare>
#include <cstdint>
#include <limits>
#include <utility>

namespace tidegate {

// A number with a meaning: comparable with its own kind only.
template <typename Tag, typename Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr StrongId next() const { return StrongId(value_ + 1); }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  template <typename H>
  friend H AbslHashValue(H h, StrongId id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  Rep value_ = 0;
};

// A record's place in a Kafka partition.
using Offset = StrongId<struct OffsetTag, int64_t>;
// A Kafka partition.
using PartitionId = StrongId<struct PartitionIdTag, int32_t>;
// A commit's place in a pipeline's change log; the first commit is 1, and 0
// stands before it.
using Seq = StrongId<struct SeqTag, uint64_t>;
// A view's or served table's number within its pipeline's store; kept in the
// catalog for as long as the store lives.
using ViewId = StrongId<struct ViewIdTag, uint32_t>;

// When something happened, in microseconds since 1970 (UTC).
using EventTime = StrongId<struct EventTimeTag, int64_t>;
// When we saw it, by our own clock, in microseconds since 1970 (UTC).
using ProcessingTime = StrongId<struct ProcessingTimeTag, int64_t>;

// Before every time that an event can have.
inline constexpr EventTime kNoEventTime{std::numeric_limits<int64_t>::min()};
// After every time that an event can have.
inline constexpr EventTime kNeverEventTime{std::numeric_limits<int64_t>::max()};

}  // namespace tidegate

#endif  // TIDEGATE_BASE_IDS_H_
