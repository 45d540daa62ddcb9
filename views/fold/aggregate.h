// One aggregate of one group. Pure; the result does not depend on the order in
// which values come, floating-point rounding aside.
#ifndef TIDEGATE_VIEWS_FOLD_AGGREGATE_H_
#define TIDEGATE_VIEWS_FOLD_AGGREGATE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "views/fold/event.h"
#include "views/plan/plan.h"

namespace tidegate {

// What one event gives to one aggregate.
struct AggregateInput {
  Datum value;     // unused by count(*)
  Datum order_by;  // first_value and last_value only
};

// Which members are used depends on the call. 64 bytes; allocates for text
// only. Thread-compatible.
struct AggregateState {
  // Values folded in; first_value and last_value: 1 once there is a winner.
  int64_t count = 0;
  // Sums of integers: the low and the high half of 128 bits. Sums of doubles:
  // the bits of the sum and of Neumaier's compensation. Else `low` is the bits
  // of the value that counts (text apart).
  uint64_t low = 0;
  uint64_t high = 0;
  EventOrder winner;  // first_value and last_value; time is the ORDER BY value
  bool value_is_null = false;
  std::unique_ptr<std::string> text;
};

// How one call of the plan folds. Thread-safe.
class Aggregate {
 public:
  // `call` must outlive it.
  explicit Aggregate(const AggregateCall* call);

  // Folds in one event at `order`. Cannot fail.
  void Update(const AggregateInput& input, const EventOrder& order,
              AggregateState* state) const;

  // The value as of now; text borrows from `state`. OutOfRange if an integer
  // sum does not fit BIGINT.
  absl::Status Result(const AggregateState& state, Datum* result) const;

  // Appends the state as bytes: equal states are equal bytes.
  void Encode(const AggregateState& state, std::string* out) const;
  // Takes a state off the front of `in`; false if it is malformed.
  bool Decode(absl::string_view* in, AggregateState* state) const;

 private:
  void UpdateSum(const Datum& value, AggregateState* state) const;
  void UpdateExtreme(const Datum& value, AggregateState* state) const;
  void UpdateWinner(const AggregateInput& input, const EventOrder& order,
                    AggregateState* state) const;
  void Keep(const Datum& value, AggregateState* state) const;
  Datum Kept(const AggregateState& state) const;

  const AggregateKind kind_;
  const Type type_;  // of the argument
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_AGGREGATE_H_
