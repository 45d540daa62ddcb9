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
  Datum order_by;  // first_value, last_value, min_by and max_by only
};

// Which members are used depends on the call. 64 bytes; allocates for text
// only. Thread-compatible.
struct AggregateState {
  // Values folded in; first_value and last_value: 1 once there is a winner.
  int64_t count = 0;
  // Sums of integers: the low and the high half of 128 bits. Sums of doubles:
  // the bits of the sum and of Neumaier's compensation. Variances: the bits of
  // the mean and of the sum of squared distances from it (Welford). Else `low`
  // is the bits of the value that counts (text apart), and `high` of what
  // min_by and max_by go by.
  uint64_t low = 0;
  uint64_t high = 0;
  // first_value and last_value: where `time` is the ORDER BY value; min_by and
  // max_by.
  EventOrder winner;
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

  // Folds in all that `other` has seen, no event of which `state` has seen.
  void Merge(const AggregateState& other, AggregateState* state) const;

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
  void UpdateVariance(const Datum& value, AggregateState* state) const;
  // Whether what is at `place`, by `order_by`, replaces the state's winner.
  bool Wins(const Datum& order_by, const EventOrder& place,
            const AggregateState& state) const;
  bool Wins(const AggregateState& other, const AggregateState& state) const;
  Datum Variance(const AggregateState& state) const;
  void Keep(const Datum& value, AggregateState* state) const;
  Datum Kept(const AggregateState& state) const;
  bool DecodeKept(absl::string_view* in, AggregateState* state) const;

  const AggregateKind kind_;
  const Type type_;        // of the argument
  const Type order_type_;  // of what it is ordered by
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_AGGREGATE_H_
